"""The stack that the benchmarks run against."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import redis
from psycopg import sql
from psycopg.rows import TupleRow
from rich.console import Console

from bench import orders
from deploy.local import postgres
from deploy.local.ports import Ports
from deploy.local.programs import AIRFLOW
from deploy.local.secrets import Secrets
from deploy.local.stack import Stack
from palate.schema.migrate import migrate
from palate.settings import Settings, load_settings
from tests.model.history import Form

RAW_TOPIC = "order-service_orders"
ENRICHED_TOPIC = "stg-service-orders"

console = Console(stderr=True)


@dataclass(frozen=True)
class Services:
    """PostgreSQL, Kafka and Redis of one stack."""

    stack: Stack

    def settings(self, database: str, topic: str = RAW_TOPIC) -> Settings:
        """Return the settings of a pipeline into this database."""
        env = self.stack.env()
        return load_settings(
            dwh_dsn=env["DWH_DSN"].rsplit("/", 1)[0] + f"/{database}",
            kafka_bootstrap=env["KAFKA_BOOTSTRAP"],
            redis_url=env["REDIS_URL"],
            palate_topics={topic: Form.RAW, ENRICHED_TOPIC: Form.ENRICHED},
        )

    def fresh_warehouse(self, database: str) -> None:
        """Create an empty warehouse, in place of one of this name."""
        self.copy_database("template1", database)
        migrate(self.settings(database))

    def copy_database(self, source: str, target: str) -> None:
        """Create a database as a copy of another one's files, replacing an old one."""
        self.drop_database(target)
        with self.superuser() as connection:
            connection.execute(
                sql.SQL(
                    "CREATE DATABASE {} OWNER palate TEMPLATE {} STRATEGY file_copy"
                ).format(sql.Identifier(target), sql.Identifier(source))
            )

    def rename_database(self, old: str, new: str) -> None:
        """Give a database another name."""
        with self.superuser() as connection:
            connection.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                    sql.Identifier(old), sql.Identifier(new)
                )
            )

    def drop_database(self, database: str) -> None:
        """Remove a database if there is one of this name."""
        with self.superuser() as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(
                    sql.Identifier(database)
                )
            )

    def has_database(self, database: str) -> bool:
        """Return whether there is a database of this name."""
        with self.superuser() as connection:
            return bool(
                connection.execute(
                    "SELECT 1 FROM pg_database WHERE datname = %s", (database,)
                ).fetchone()
            )

    def checkpoint(self) -> None:
        """Write all dirty pages: the next changes are logged in full again."""
        with self.superuser() as connection:
            connection.execute("CHECKPOINT")

    def vacuum(self, database: str) -> None:
        """Vacuum and analyze now, so that autovacuum does not do it while measuring."""
        with self.superuser(database) as connection:
            connection.execute("VACUUM (ANALYZE)")

    @contextmanager
    def airflow(self) -> Iterator[psycopg.Connection[TupleRow]]:
        """Connect to Airflow's own database, in autocommit mode."""
        with self.superuser("airflow") as connection:
            yield connection

    @contextmanager
    def superuser(
        self, database: str = "postgres"
    ) -> Iterator[psycopg.Connection[TupleRow]]:
        """Connect as PostgreSQL's superuser, in autocommit mode."""
        password = Secrets.load(self.stack.var / "secrets.json").postgres
        uri = postgres.dsn(self.stack.ports.postgres, "postgres", password, database)
        with psycopg.connect(uri, autocommit=True) as connection:
            yield connection

    def fill_dictionary(self, number: int) -> None:
        """Write the entries of the restaurants, and of that many orders' guests."""
        with redis.Redis.from_url(self.stack.env()["REDIS_URL"]) as client:
            pipeline = client.pipeline(transaction=False)
            for key, entry in orders.dictionary(number):
                pipeline.set(key, entry)
                if len(pipeline) >= 1_000:
                    pipeline.execute()
            pipeline.execute()


@contextmanager
def running(
    var: Path, *, keep: bool, fresh: bool = False, areas: str = ""
) -> Iterator[Services]:
    """Start the services on free ports; stop them, and remove their data, at the end.

    :param var: the state folder
    :param keep: leave them running, so that the next benchmark finds its data
    :param fresh: first remove what was kept
    :param areas: those that are on, as ``PALATE_AREAS`` has them
    """
    if fresh:
        Stack(var).down(wipe=True)
    ports = None if Ports.read(var / "ports.json") else Ports.free()
    stack = Stack(var, ports, areas=areas)
    if any(one.group == AIRFLOW and one.is_up for one in stack.states()):
        stack.down()  # Airflow, kept from an earlier run, would disturb this one
    console.print("Starting PostgreSQL, Redis and Kafka ...")
    stack.up_services()
    try:
        yield Services(stack)
    finally:
        if not keep:
            stack.down(wipe=True)


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)
