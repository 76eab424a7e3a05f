"""A login with the rights of one group role, no more: by default of those who read."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from deploy.local.secrets import Secrets
from deploy.local.stack import Stack


@contextmanager
def reader_login(stack: Stack, dsn: str, group: str = "palate_reader") -> Iterator[str]:
    """Make a login; give the address with it, and remove it afterwards.

    :param dsn: the owner's address of the warehouse
    """
    password = Secrets.load(stack.var / "secrets.json").postgres
    superuser = make_conninfo(dsn, user="postgres", password=password)
    name, own_password = f"bi_{secrets.token_hex(4)}", secrets.token_hex(16)
    login = sql.Identifier(name)
    with psycopg.connect(superuser, autocommit=True) as conn:
        conn.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE {}").format(
                login, sql.Literal(own_password), sql.Identifier(group)
            )
        )
        try:
            yield make_conninfo(dsn, user=name, password=own_password)
        finally:
            conn.execute(sql.SQL("DROP ROLE {}").format(login))
