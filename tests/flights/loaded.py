"""A warehouse that has loaded all that a source has sent, and is compared with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.types.json import set_json_loads

from deploy.flights import source as names
from palate.engine import Caller
from palate.monitoring import alarms
from palate.pipelines import follow_vault, run_pipeline
from palate.reconcile import accept, stage
from palate.schema import migrate
from palate.settings import Settings
from palate.simulate.flights import compare
from palate.sources import catalog
from tests.flights.airline import KEYS, Connection, Source
from tests.flights.replay import normal
from tests.warehouses import MakeWarehouse

AREA = catalog.load_area("flights")


@dataclass
class Loaded:
    """A warehouse, and the source that it is to equal."""

    source: Source
    settings: Settings
    conn: Connection

    @classmethod
    @contextmanager
    def open(cls, source: Source, make: MakeWarehouse) -> Iterator["Loaded"]:
        """Make a warehouse, and load all of the topics."""
        env = source.stack.env()
        values = {
            "palate_areas": "flights",
            "flights_standby_dsn": env["FLIGHTS_STANDBY_DSN"],
            "flights_primary_dsn": env["FLIGHTS_PRIMARY_DSN"],
        }
        with make(**values) as settings:
            dsn = settings.dwh_dsn.get_secret_value()
            with psycopg.connect(dsn, autocommit=True) as conn:
                set_json_loads(lambda data: bytes(data).decode(), conn)
                found = cls(source, settings, conn)
                found.run()
                yield found

    @classmethod
    @contextmanager
    def of_stack(cls, source: Source) -> Iterator["Loaded"]:
        """Load all of the topics into the stack's own warehouse."""
        env = {name.lower(): value for name, value in source.stack.env().items()}
        settings = Settings(**env | {"palate_areas": "flights"})
        migrate.migrate(settings)
        dsn = settings.dwh_dsn.get_secret_value()
        with psycopg.connect(dsn, autocommit=True) as conn:
            set_json_loads(lambda data: bytes(data).decode(), conn)
            found = cls(source, settings, conn)
            found.run()
            yield found

    def run(self) -> None:
        """Load all that is committed now."""
        self.source.settle()
        self.source.wait_for_standby()
        list(run_pipeline(self.settings))

    def run_without_the_standby(self) -> None:
        """Load all that is in the topics; the standby may be behind."""
        list(run_pipeline(self.settings))

    @contextmanager
    def changed(self, **values: str) -> Iterator[None]:
        """Have other settings for a while."""
        kept = self.settings
        self.settings = Settings(**kept.model_dump() | values)
        try:
            yield
        finally:
            self.settings = kept

    def reconcile(self, *, must_heal: bool = False, may_end_many: bool = False) -> None:
        """Compare, and heal if that may be; then count what was healed."""
        try:
            stage.run(
                self.settings,
                AREA,
                Caller.in_shell("reconcile"),
                must_heal=must_heal,
                may_end_many=may_end_many,
            )
        finally:
            list(follow_vault(self.settings, AREA))

    def accept(self) -> int:
        """Accept that the source began anew."""
        return accept.accept_source(
            self.settings, AREA, Caller.in_shell("accept"), "a test", "restored"
        )

    def assert_equal(self) -> None:
        """See that views and mart are what the standby says."""
        self.source.wait_for_standby()
        with self.source.standby() as standby:
            wanted = self.source.tables(standby)
        for table in names.TABLES:
            assert self.rows_of(table) == wanted[table], table
        must = compare.truth(self.source.stack.env()["FLIGHTS_STANDBY_DSN"])
        dsn = self.settings.dwh_dsn.get_secret_value()
        assert compare.differences(must, dsn, compare.MART) == []

    def rows_of(self, table: str) -> dict[tuple[Any, ...], Any]:
        """Return the rows of a table that live in the vault, by key."""
        cursor = self.conn.execute(f"SELECT * FROM dds.{_view(table)}")
        columns = [column.name for column in cursor.description or ()]
        rows = [normal(dict(zip(columns, row, strict=True))) for row in cursor]
        return {tuple(row[name] for name in KEYS[table]): row for row in rows}

    def number(self, table: str) -> int:
        """Return how many rows of a table live in the vault."""
        (row,) = self.rows(f"SELECT count(*) FROM dds.{_view(table)}")
        return int(row[0])

    def unverified(self) -> int:
        """Return how many snapshots were not compared."""
        return len(stage.unverified(self.conn, AREA))

    def alarms(self) -> list[tuple[str, bool]]:
        """Send what is to be told; return all incidents, and whether they are over."""
        alarms.send_all(self.conn, lambda _: "a test")
        found = self.rows(
            "SELECT subject, ended_dt IS NOT NULL, end_told_dt IS NOT NULL"
            " FROM ops.incidents WHERE kind = 'source' ORDER BY incident_id"
        )
        assert all(is_over == is_told for _, is_over, is_told in found)
        return [(subject, is_over) for subject, is_over, _ in found]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what the warehouse answers."""
        return self.conn.execute(query).fetchall()


def _view(table: str) -> str:
    one = "boarding_pass" if table == "boarding_passes" else table.removesuffix("s")
    return f"v_{one}"
