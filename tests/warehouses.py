"""Warehouses for tests: each a copy of a migrated database, with topics of its own."""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Self

import psycopg
import redis
from kafka.admin import KafkaAdminClient
from psycopg import sql

from deploy.local import postgres
from deploy.local.secrets import Secrets
from deploy.local.stack import Stack
from palate.schema.migrate import migrate
from palate.settings import Settings
from tests.model.history import Form

MakeWarehouse = Callable[..., AbstractContextManager[Settings]]


def spare_the_disk(stack: Stack) -> None:
    """Let PostgreSQL not wait for the disk: tests end processes, never the machine.

    To drop a warehouse takes a tenth of the time then.
    """
    password = Secrets.load(stack.var / "secrets.json").postgres
    dsn = postgres.dsn(stack.ports.postgres, "postgres", password, "postgres")
    with psycopg.connect(dsn, autocommit=True) as conn:
        for name in ("fsync", "full_page_writes"):
            conn.execute(f"ALTER SYSTEM SET {name} = off")
        conn.execute("SELECT pg_reload_conf()")


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the variables by which a process finds a warehouse and its services."""
    return {
        "DWH_DSN": settings.dwh_dsn.get_secret_value(),
        "KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "PALATE_TOPICS": json.dumps(settings.palate_topics),
    }


class Warehouses:
    """The warehouses of one stack."""

    def __init__(self, stack: Stack) -> None:
        """Describe them; nothing is made yet."""
        self._stack = stack
        self._secrets = Secrets.load(stack.var / "secrets.json")
        self._template = f"template_{_unique()}"

    def __enter__(self) -> Self:
        """Make and migrate the database that the others are copies of."""
        self._admin = KafkaAdminClient(
            bootstrap_servers=self._stack.env()["KAFKA_BOOTSTRAP"]
        )
        self._superuser = psycopg.connect(
            self._dsn("postgres", "postgres"), autocommit=True
        )
        self._create(self._template)
        migrate(Settings(dwh_dsn=self._dsn("palate", self._template)))
        return self

    def __exit__(self, *_: object) -> None:
        """Remove it."""
        self._drop(self._template)
        self._superuser.close()
        self._admin.close()

    @contextmanager
    def make(
        self, partitions: int = 2, template: str | None = None, **settings: object
    ) -> Iterator[Settings]:
        """Make a database and two topics, one of each form, and empty Redis.

        All warehouses of a stack share its Redis.

        :param partitions: of each topic
        :param template: the database to copy; default: a migrated one without rows
        :param settings: more settings of Palate, such as ``palate_drain_messages=10``
        """
        name = f"test_{_unique()}"
        env = self._stack.env()
        forms = {f"{name}_raw": Form.RAW, f"{name}_enriched": Form.ENRICHED}
        with redis.Redis.from_url(env["REDIS_URL"]) as dictionaries:
            dictionaries.flushdb()
        self._create(name, template or self._template)
        try:
            self._admin.create_topics(
                {
                    topic: {"num_partitions": partitions, "replication_factor": 1}
                    for topic in forms
                },
                wait_for_metadata=True,
            )
            try:
                yield Settings(
                    dwh_dsn=self._dsn("palate", name),
                    kafka_bootstrap=env["KAFKA_BOOTSTRAP"],
                    redis_url=env["REDIS_URL"],
                    **{"palate_topics": forms, **settings},
                )
            finally:
                self._admin.delete_topics(list(forms), raise_errors=False)
        finally:
            self._drop(name)

    def _dsn(self, role: str, database: str) -> str:
        password = getattr(self._secrets, role)
        return postgres.dsn(self._stack.ports.postgres, role, password, database)

    def _create(self, name: str, template: str = "template0") -> None:
        self._superuser.execute(
            sql.SQL("CREATE DATABASE {} OWNER palate TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )

    def _drop(self, name: str) -> None:
        self._superuser.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(
                sql.Identifier(name)
            )
        )


def _unique() -> str:
    return uuid.uuid4().hex[:8]
