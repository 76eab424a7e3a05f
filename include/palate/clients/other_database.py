"""Sessions of another PostgreSQL than the warehouse: that of a mart's copy.

Each error leaves them as a sentence that names the setting and the place, never a
password. A session beside one of the warehouse must not have its errors taken for the
warehouse's, so they are explained where they arise.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.rows import TupleRow

from palate.database_errors import refuse_wrong_address, without_password
from palate.errors import (
    AccessDeniedError,
    PalateError,
    ServiceUnavailableError,
    SettingsError,
    WarehouseError,
)

_CONNECT_TIMEOUT = 10
_SESSION = {
    "application_name": "palate",
    "timezone": "UTC",
    "datestyle": "ISO",
    "client_encoding": "UTF8",
    "default_transaction_isolation": "read committed",
    # A hung process must not keep the rows that others wait for.
    "idle_in_transaction_session_timeout": "60s",
    "lock_timeout": "60s",
}
_NO_ACCESS = re.compile(
    r"authentication failed|no password supplied|pg_hba\.conf|certificate|SSL|"
    r"role .* does not exist|not permitted to log in|permission denied"
)
_NO_DATABASE = re.compile(r"database .* does not exist")
# Another attempt may find it otherwise: lost sessions, locks, too little of something.
_FOR_NOW = ("08", "25006", "40", "53", "55", "57", "58")
_WAITS = "Vault and marts go on; what the copy lacks is written once it can be."


class _ElsewhereError(Exception):
    """Raised for an error of what is written from, which is explained there."""


class OtherDatabase:
    """A session in autocommit mode; not thread-safe."""

    def __init__(self, dsn: str, setting: str) -> None:
        """Open it.

        :param setting: the variable that has the address, for errors
        :raises SettingsError: if it is no address
        :raises ServiceUnavailableError: if nobody answers there
        :raises AccessDeniedError: if the login is refused
        """
        parts = refuse_wrong_address(dsn, setting)
        place = f"{parts.get('host') or 'localhost'}:{parts.get('port') or 5432}"
        self.name = f"{setting} ({place}/{parts.get('dbname') or ''})"
        timeout = int(parts.get("connect_timeout") or _CONNECT_TIMEOUT)
        try:
            self._conn: psycopg.Connection[TupleRow] = psycopg.connect(
                dsn, autocommit=True, connect_timeout=timeout
            )
        except psycopg.Error as error:
            raise self._refused(without_password(error, dsn)) from None
        with self._closed_on_error():
            for name, value in _SESSION.items():
                self.execute("SELECT set_config(%s, %s, false)", (name, value))

    def __enter__(self) -> Self:
        """Return the open session."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it; what is not committed is rolled back."""
        self._conn.close()

    def execute(self, query: Any, values: Any = None) -> psycopg.Cursor[TupleRow]:
        """Run a statement."""
        with self._explained():
            return self._conn.execute(query, values)

    @contextmanager
    def transaction(self, *, is_snapshot: bool = False) -> Iterator[None]:
        """Open a transaction that commits at the end of the block.

        :param is_snapshot: whether all of it sees one moment
        """
        transaction = self._conn.transaction()
        with self._explained():
            transaction.__enter__()
        try:
            if is_snapshot:
                self.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield
        except BaseException as error:
            with suppress(psycopg.Error):
                transaction.__exit__(type(error), error, error.__traceback__)
            raise
        with self._explained():
            transaction.__exit__(None, None, None)

    def write(self, statement: str, blocks: Iterable[Any]) -> None:
        """Write what a COPY elsewhere gives, by ``COPY ... FROM STDIN``."""
        try:
            with (
                self._explained(),
                self._conn.cursor() as cursor,
                cursor.copy(statement) as copy,
            ):
                for block in _marked(blocks):
                    copy.write(block)
        except _ElsewhereError as error:
            raise (error.__cause__ or error) from None

    def read(self, statement: str) -> Iterator[Any]:
        """Yield the blocks of a ``COPY ... TO STDOUT``."""
        with (
            self._explained(),
            self._conn.cursor() as cursor,
            cursor.copy(statement) as copy,
        ):
            yield from copy

    @contextmanager
    def _closed_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._conn.close()
            raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise self._explain(error) from error

    def _refused(self, reason: str) -> PalateError:
        reached = f"{self.name} can't be reached: {reason}."
        if _NO_ACCESS.search(reason):
            return AccessDeniedError(f"{reached} Correct its login. {_WAITS}")
        if _NO_DATABASE.search(reason):
            return SettingsError(f"{reached} Create the database. {_WAITS}")
        return ServiceUnavailableError(f"{reached} {_WAITS}")

    def _explain(self, error: psycopg.Error) -> PalateError:
        state = error.sqlstate or ""
        kind = type(error).__name__
        if state == "42501":
            # It names a table or a schema, nothing else.
            return AccessDeniedError(
                f"{self.name}: {error.diag.message_primary}. Grant it to the login of "
                f"that address (docs/operations.md, 'A copy is behind'). {_WAITS}"
            )
        if self._conn.closed or not state or state.startswith(_FOR_NOW):
            what = f"{kind}, SQLSTATE {state}" if state else kind
            return ServiceUnavailableError(
                f"{self.name} can't go on: {what}. Nothing of this transaction was "
                f"committed there. {_WAITS}"
            )
        return WarehouseError(
            f"{self.name} refuses it: {kind}, SQLSTATE {state}. Nothing of this "
            f"transaction was committed there; its log has the statement. {_WAITS}"
        )


def _marked(blocks: Iterable[Any]) -> Iterator[Any]:
    try:
        yield from blocks
    except psycopg.Error as error:
        raise _ElsewhereError from error
