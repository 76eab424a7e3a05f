"""The migrations of ``sql/ops/versions``, run by Alembic."""

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from palate.database import Connection, open_session
from palate.database_errors import note_statement
from palate.names import SQL_FOLDER
from palate.settings import Settings


def run(settings: Settings) -> None:
    """Run those that the warehouse has not had yet.

    :raises psycopg.Error: if PostgreSQL refuses one
    """

    # SQLAlchemy only lends Alembic a connection; it is psycopg's own.
    def opened() -> Connection:
        connection = open_session(settings)
        connection.autocommit = False
        return connection

    engine = create_engine("postgresql+psycopg://", creator=opened, poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(SQL_FOLDER / "ops"))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except DBAPIError as error:  # it wraps PostgreSQL's error
        if not isinstance(error.orig, psycopg.Error):
            raise
        note_statement(error.orig, error.statement or "")
        raise error.orig from None
