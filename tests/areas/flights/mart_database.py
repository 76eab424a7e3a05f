"""The second PostgreSQL of the tests: a database whose login may only write there."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from deploy.local import postgres
from deploy.local.secrets import Secrets
from deploy.local.stack import Stack

_PASSWORD = "se%cret@"
# Counts each row that is written, whoever writes it.
_NOTED = """
CREATE TABLE public.written (key text, op text);
CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO public.written
    SELECT coalesce(to_jsonb(new), to_jsonb(old)) ->> 'passenger_id', tg_op;
    RETURN NULL;
END $$;
CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE
ON presentation.presentation FOR EACH ROW EXECUTE FUNCTION public.note();
"""


class MartDatabase:
    """A database of its own, and what its administrator does."""

    def __init__(self, stack: Stack) -> None:
        """Name it; nothing is made yet."""
        self._port = stack.ports.postgres
        self._superuser = Secrets.load(stack.var / "secrets.json").postgres
        self.name = f"mart_{uuid.uuid4().hex[:8]}"

    @property
    def dsn(self) -> str:
        """Return the address with the login that Palate is given."""
        password = _PASSWORD.replace("%", "%25").replace("@", "%40")
        return postgres.dsn(self._port, self.name, password, self.name)

    @contextmanager
    def made(self) -> Iterator["MartDatabase"]:
        """Make database and login, and remove both."""
        name = sql.Identifier(self.name)
        with self._admin("postgres") as conn:
            postgres.make_role(conn, self.name, _PASSWORD)
            conn.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))
            try:
                yield self
            finally:
                drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name)
                conn.execute(drop)
                conn.execute(sql.SQL("DROP ROLE {}").format(name))

    def close(self) -> None:
        """Let nobody in, and end the sessions that there are."""
        self._allow(False)
        with self._admin("postgres") as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = %s",
                (self.name,),
            )

    def open(self) -> None:
        """Let sessions in again."""
        self._allow(True)

    def rows(self, query: str = "SELECT * FROM presentation.presentation") -> list[Any]:
        """Return what the database answers."""
        with self._admin(self.name) as conn:
            return conn.execute(query).fetchall()

    def execute(self, statement: str) -> None:
        """Run a statement as the administrator."""
        with self._admin(self.name) as conn:
            conn.execute(statement)

    def presentation(self) -> dict[str, tuple[Any, ...]]:
        """Return the rows by passenger, without the time of the last change."""
        return {passenger: tuple(values[:-1]) for passenger, *values in self.rows()}

    def note_writes(self) -> None:
        """Note from now on each row that is written."""
        self.execute(_NOTED)

    def written(self) -> list[tuple[str, str]]:
        """Return which rows were written, and how."""
        return sorted(self.rows("SELECT key, op FROM public.written"))

    def _allow(self, is_allowed: bool) -> None:
        with self._admin("postgres") as conn:
            conn.execute(
                sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(
                    sql.Identifier(self.name), sql.Literal(is_allowed)
                )
            )

    @contextmanager
    def _admin(self, database: str) -> Iterator[psycopg.Connection[Any]]:
        dsn = postgres.dsn(self._port, "postgres", self._superuser, database)
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute("SET timezone = 'UTC'")
            yield conn
