"""PostgreSQL's refusals, as sentences: the cause, the place and the next step.

The driver's words are repeated only where they can name nothing but tables, columns and
settings: others may hold a password, or personal data.
"""

import re
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from palate import schema_state
from palate.errors import (
    AccessDeniedError,
    PalateError,
    ServiceUnavailableError,
    SettingsError,
    WarehouseError,
)

_TARGET = re.compile(
    r"\b(?:INTO|UPDATE|FROM|JOIN|TRUNCATE|COPY|TABLE|USING)\s+(\w+\.\w+)"
)
_NOTE = "palate statement: "

_ROLLED_BACK = (
    "What was not committed is rolled back; another attempt goes on from there."
)
_OF_THE_ADDRESS = (
    "Set it to postgresql://user:password@host:port/database, with @ : / ? # % of a "
    "password written as %40 %3A %2F %3F %23 %25, or to key=value pairs"
)
_HOST = re.compile(r"[\w.:%/\\-]*(,[\w.:%/\\-]*)*")
_PORT = re.compile(r"\d*(,\d*)*")
_SECONDS = re.compile(r"-?\d{0,9}")


class PoolerError(psycopg.OperationalError):
    """Raised when a pooler does not keep sessions apart."""


def note_statement(error: psycopg.Error, statement: str) -> None:
    """Add to an error the statement that it came from, unless it has one."""
    if not any(note.startswith(_NOTE) for note in getattr(error, "__notes__", ())):
        error.add_note(_NOTE + statement[:2_000])


def refuse_wrong_address(dsn: str, setting: str = "DWH_DSN") -> dict[str, Any]:
    """Return the parts of an address.

    :param setting: the variable that has it
    :raises SettingsError: if it is none; the text has nothing of it, since any part of
        a mistyped address may belong to the password
    """
    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.Error:
        if dsn.startswith(("postgresql://", "postgres://")):
            problem = "its parts can't be distinguished"
        elif "://" in dsn:
            problem = "it does not begin with postgresql://"
        else:
            problem = (
                "it can't be read as key=value pairs of libpq's (a value with blanks "
                "needs quotes)"
            )
    else:
        if not _SECONDS.fullmatch(str(parts.get("connect_timeout") or "")):
            message = (
                f"{setting}: its connect_timeout is no whole number of seconds. Write "
                "it without a unit, such as connect_timeout=5."
            )
            raise SettingsError(message)
        is_right = (
            _HOST.fullmatch(str(parts.get("host") or ""))
            and _PORT.fullmatch(str(parts.get("port") or ""))
            and "@" not in str(parts.get("dbname") or "")
        )
        if is_right:
            return parts
        problem = "its host, port or database has characters that none can have"
    message = f"{setting} is no address of a database: {problem}. {_OF_THE_ADDRESS}"
    if setting == "DWH_DSN":
        message += "; or correct the Airflow Connection `dwh`"
    raise SettingsError(f"{message}.")


# The driver passes on no code for what a server answers to a connection attempt.
_NO_ACCESS = re.compile(
    r"authentication failed|no password supplied|pg_hba\.conf|certificate|SSL|"
    r"role .* does not exist|not permitted to log in|permission denied|"
    r"no such user|password"
)
_NO_DATABASE = re.compile(r"database .* does not exist|no such database")
_WRONG_PART = re.compile(
    r"configuration parameter|for parameter|for connection option|"
    r"definition of service|service file|invalid \w+ value"
)
_TOO_MANY = re.compile(r"too many (clients|connections)|connection slots")


def explain_refusal(error: psycopg.Error, dsn: str) -> PalateError:
    """Return the sentence for a session that could not be opened."""
    if isinstance(error, PoolerError):
        return SettingsError(
            "DWH_DSN leads to a pooler that does not give each client a session of its "
            "own: what one statement sets or locks, the next one does not find, or it "
            "stays when the client has gone. That is PgBouncer with pool_mode = "
            "transaction or statement, or without server_reset_query. Locks need "
            "sessions: let it be pool_mode = session for this database, with "
            "server_reset_query = DISCARD ALL; or let DWH_DSN lead to PostgreSQL "
            "itself. See docs/operations.md, 'PgBouncer'."
        )
    if error.sqlstate:  # from a statement that sets up the session
        found = explain(error, None, "PostgreSQL (the warehouse)")
        if found:
            return found
    reason = without_password(error, dsn)
    reached = f"PostgreSQL (the warehouse) can't be reached: {reason}."
    where = "DWH_DSN or the Airflow Connection `dwh`"
    if _TOO_MANY.search(reason):
        return ServiceUnavailableError(
            f"{reached} All connections that it, the database or the role may have are "
            "taken. Another attempt may find one; else raise max_connections, or the "
            "CONNECTION LIMIT, or let fewer tasks run at once."
        )
    if _NO_DATABASE.search(reason):
        return SettingsError(f"{reached} Create the database, or correct {where}.")
    if _WRONG_PART.search(reason):
        return SettingsError(
            f"{reached} A part of the address is wrong: correct {where}."
        )
    if "startup parameter" in reason:
        return SettingsError(
            f"{reached} A pooler refuses what {where} asks for at the start: leave "
            "`options` out of it."
        )
    if _NO_ACCESS.search(reason):
        return AccessDeniedError(
            f"PostgreSQL (the warehouse) refuses the login: {reason}. Check user, "
            f"password and TLS of {where}, and the server's pg_hba.conf."
        )
    return ServiceUnavailableError(
        f"{reached} Check that it runs (`make status`) and that {where} is right."
    )


def without_password(error: psycopg.Error, dsn: str) -> str:
    """Return the first line of what the driver says, without an address's password."""
    words = str(error).strip().split("\n", maxsplit=1)[0]
    try:
        secret = conninfo_to_dict(dsn).get("password")
    except psycopg.Error:
        secret = dsn
    return words.replace(str(secret), "***") if secret else words


def explain(
    error: psycopg.Error,
    conn: "psycopg.Connection[Any] | None",
    who: str,
    *,
    is_owners: bool = False,
) -> PalateError | None:
    """Return the sentence for an error of a statement; None if it is our bug.

    :param conn: the session, which is asked for its rights and tables, if it answers
    :param who: for whom, such as ``Stage vault``
    :param is_owners: whether it is the owner's work, who creates and drops tables
    """
    state = error.sqlstate or ""
    place = ": ".join(filter(None, (who, _where(error))))
    start = f"{place}: " if place else ""
    if not state:
        return _without_state(error, conn, start)
    found = (
        _of_the_session(error, state, who)
        or _for_now(error, state, start, conn)
        or _of_rights(error, state, start, conn, is_owners)
        or _of_rows(error, state, start)
        or schema_state.explain_missing(error, conn, start)
    )
    if found:
        return found
    words = _words(error, state)
    return WarehouseError(
        f"{start}PostgreSQL refuses it: {type(error).__name__}, SQLSTATE {state}"
        f"{f' ({words})' if words else ''}. Nothing of this transaction was committed. "
        "The server's log has the statement; docs/operations.md, 'What PostgreSQL "
        "refuses', what to do."
    )


def _without_state(
    error: psycopg.Error, conn: "psycopg.Connection[Any] | None", start: str
) -> PalateError | None:
    """Explain the driver's own errors."""
    if isinstance(error, psycopg.DataError):
        return WarehouseError(
            f"{start}a value can't be stored, such as a text with the character NUL. "
            "Nothing of this transaction was committed. Correct what was given."
        )
    if isinstance(error, psycopg.OperationalError) or (
        conn is not None and conn.closed
    ):
        return _lost(start.removesuffix(": "), "the server has closed it")
    return None


def _lost(who: str, cause: str) -> ServiceUnavailableError:
    return ServiceUnavailableError(
        f"{who or 'PostgreSQL (the warehouse)'}: the connection to PostgreSQL was lost "
        f"({cause}). {_ROLLED_BACK}"
    )


_ENDED = {
    "25P03": "it was idle in a transaction for longer than "
    "idle_in_transaction_session_timeout: this process hung",
    "57P05": "it was idle for longer than idle_session_timeout: this process stood "
    "still",
    "57P01": "the server was stopped, or somebody has ended the session",
    "57P02": "the server has crashed and starts anew",
    "57P03": "the server is starting up or shutting down",
    "57P04": "the database was dropped",
}


def _of_the_session(error: psycopg.Error, state: str, who: str) -> PalateError | None:
    if state in _ENDED:
        return _lost(who, _ENDED[state])
    if state.startswith("08"):
        return _lost(who, f"SQLSTATE {state}")
    return None


def _for_now(
    error: psycopg.Error,
    state: str,
    start: str,
    conn: "psycopg.Connection[Any] | None",
) -> PalateError | None:
    """Explain errors that another attempt may not meet."""
    cause = None
    if state == "25006":
        cause = (
            "PostgreSQL is read-only here: a standby, as after a failover, or "
            "default_transaction_read_only is on. Let DWH_DSN lead to the primary, "
            "best by all hosts with target_session_attrs=read-write."
        )
    elif state == "55P03":
        limit = schema_state.setting(conn, "lock_timeout")
        cause = (
            "another session has held a lock that this needs for longer than "
            f"lock_timeout ({limit}). pg_stat_activity and pg_blocking_pids() show "
            "who holds it."
        )
    elif state in ("40001", "40P01"):
        cause = "another session has changed or locked the same rows at the same time."
    elif state == "57014":
        cause = _cancelled(schema_state.setting(conn, "statement_timeout"))
    elif state == "53200" and "max_locks" in (error.diag.message_hint or ""):
        cause = (
            "the server's table of locks is full. It holds max_locks_per_transaction "
            f"({schema_state.setting(conn, 'max_locks_per_transaction')}) times "
            "max_connections, and each partition of STG needs "
            "some: raise it and restart the server. Fewer partitions come of "
            "a higher PALATE_STG_PARTITION_POSITIONS, and of retention."
        )
    elif state == "53200":
        cause = "the server is out of memory. Give it more, or lower its settings."
    elif state == "53100":
        cause = "the server's disk is full. Make room there (`palate storage show`)."
    elif state == "53300":
        cause = "all connections that the server may have are taken."
    elif state.startswith(("53", "58")):
        cause = f"the server lacks something it needs ({_words(error, state)})."
    elif error.diag.source_function == "RevalidateCachedQuery":
        cause = "a table has changed while this session was open."
    return ServiceUnavailableError(f"{start}{cause} {_ROLLED_BACK}") if cause else None


def _of_rights(
    error: psycopg.Error,
    state: str,
    start: str,
    conn: "psycopg.Connection[Any] | None",
    is_owners: bool,
) -> PalateError | None:
    if state != "42501":
        return None
    grant = schema_state.missing_grant(conn, is_owners=is_owners)
    return AccessDeniedError(
        f"{start}PostgreSQL says: {error.diag.message_primary}. Nothing was changed. "
        f"{grant}"
    )


def _of_rows(error: psycopg.Error, state: str, start: str) -> PalateError | None:
    """Explain a row that a table refuses, without its values, which are private."""
    diag = error.diag
    if state.startswith("23"):
        table = ".".join(filter(None, (diag.schema_name, diag.table_name)))
        what = diag.constraint_name or diag.column_name or "one of its columns"
        found = WarehouseError(
            f"{start}the table {table or '?'} refuses a row by {what} "
            f"({type(error).__name__}). Nothing of this transaction was committed. "
            "Where the constraint is not Palate's own, drop it; else see "
            "docs/operations.md, 'What PostgreSQL refuses'."
        )
        # Two sessions may have added one row: the next attempt sees it.
        found.is_worth_retrying = isinstance(error, psycopg.errors.UniqueViolation)
        return found
    if state.startswith("22") and not _is_raised(error):
        return WarehouseError(
            f"{start}a value does not fit: {type(error).__name__}, SQLSTATE {state}. "
            "Nothing of this transaction was committed. The server's log has the "
            "statement; see docs/operations.md, 'What PostgreSQL refuses'."
        )
    return None


def _is_raised(error: psycopg.Error) -> bool:
    """Return whether a function has raised it, with its own message."""
    return error.diag.source_function == "exec_stmt_raise"


def _words(error: psycopg.Error, state: str) -> str:
    is_harmless = state.startswith(("0A", "42", "53", "54", "55", "58"))
    words = error.diag.message_primary or ""
    return words.rstrip(".") if is_harmless or _is_raised(error) else ""


def _statement(error: psycopg.Error) -> str:
    for note in getattr(error, "__notes__", ()):
        if note.startswith(_NOTE):
            return str(note.removeprefix(_NOTE))
    return ""


def _where(error: psycopg.Error) -> str:
    found = _TARGET.search(_statement(error))
    return f"at {found[1]}" if found else ""


def _cancelled(limit: str) -> str:
    """Return who cancelled a statement.

    :param limit: the session's statement_timeout; empty if unknown
    """
    if limit == "0":
        return "the statement was cancelled, by somebody (pg_cancel_backend)."
    took = f"the statement took longer than statement_timeout ({limit})"
    if not limit:
        took = (
            "the statement was cancelled: by statement_timeout, or by somebody "
            "(pg_cancel_backend)"
        )
    return (
        f"{took}. Palate sets no statement_timeout: the role, the database or DWH_DSN "
        "does. If it comes again, set it higher there for Palate's login."
    )
