"""An older version's stack, stopped amid its work and started by this checkout."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from deploy.local import postgres
from deploy.local.ports import Ports
from deploy.local.secrets import Secrets
from deploy.local.stack import Stack
from tests.e2e.airflow_api import OVER, AirflowApi, Json, until
from tests.faults.harm import kill
from tests.upgrade import warehouse
from tests.upgrade.versions import FROM, REPOSITORY, Version, take_from_git
from tests.upgrade.warehouse import Dwh, Snapshot

TICK = timedelta(minutes=5)
SECONDS = 900  # for what takes seconds on an idle machine
_HALF = 6 * TICK
# How many orders: before the stop, those on their way to the vault, those in Kafka.
_LOADED, _IN_THE_VAULT, _IN_KAFKA = 10_000, 5_000, 5_000
_RULES = (
    ("Любитель пиццы", "--category", "Пицца", "20"),
    ("Кофеман", "--dish", "Капучино", "5"),
)


@dataclass
class Upgrade:
    """Both versions, their stack, and what was seen on the way.

    The first record was sent at ``start`` by its own time, the last one at ``end``.
    """

    old: Version
    new: Version
    stack: Stack
    start: datetime
    end: datetime
    # Of the old version: DAG and task ids, its runs of orders_stream, its triggers.
    tasks: set[tuple[str, str]] = field(init=False)
    runs: list[Json] = field(init=False)
    bells: set[warehouse.Row] = field(init=False)
    # Before and after the new version's `palate migrate`, and what it printed.
    ends_before: dict[tuple[str, int], int] = field(init=False)
    before: Snapshot = field(init=False)
    after: Snapshot = field(init=False)
    migrated: str = field(init=False)
    upgraded: datetime = field(init=False)

    @property
    def open_runs(self) -> list[str]:
        """The old version's runs that were not over when it was stopped."""
        return [run["dag_run_id"] for run in self.runs if run["state"] not in OVER]

    def connect(self) -> Dwh:
        """Connect to the warehouse, in autocommit mode."""
        return psycopg.connect(self.stack.env()["DWH_DSN"], autocommit=True)

    @contextmanager
    def airflow(self) -> Iterator[AirflowApi]:
        """Log in to whichever Airflow runs."""
        env = self.stack.env()
        user, password = env["AIRFLOW_USER"], env["AIRFLOW_PASSWORD"]
        with closing(AirflowApi(env["AIRFLOW_URL"], user, password)) as api:
            yield api

    def find_bells(self) -> set[warehouse.Row]:
        """Return the bells that Airflow's database holds: id and class."""
        secret = Secrets.load(self.stack.var / "secrets.json").airflow
        dsn = postgres.dsn(self.stack.ports.postgres, "airflow", secret, "airflow")
        query = "SELECT id, classpath FROM trigger WHERE classpath LIKE '%Bell'"
        with psycopg.connect(dsn) as conn:
            return set(conn.execute(query))

    def behind(self) -> dict[warehouse.Key, tuple[int, int]]:
        """Return where each stage is that is not where its topic ends, and the end."""
        with self.connect() as dwh:
            marks = warehouse.watermarks(dwh)
        ends = self.ends()
        # The tags are the last to have a watermark.
        wanted = marks.keys() | {("tags", topic, 0, number) for topic, number in ends}
        return {
            key: (marks.get(key, 0), ends[key[1::2]])
            for key in wanted
            if marks.get(key, 0) < ends.get(key[1::2], 0)
        }

    def ends(self) -> dict[tuple[str, int], int]:
        """Return where the topics end on the broker, by topic and partition."""
        return warehouse.ends_in_kafka(self.stack.env()["KAFKA_BOOTSTRAP"])

    def wait_until_counted(self) -> None:
        """Wait until each stage is where the topics end.

        :raises AssertionError: if one is not in time; says which, and where it is
        """
        try:
            until(lambda: not self.behind(), "all messages in the marts", SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.behind()}") from None

    def backfill(
        self, api: AirflowApi, start: datetime, end: datetime, reprocess: str
    ) -> None:
        """Backfill orders_stream, and wait until that is over."""
        backfill = api.backfill(start, end, reprocess)
        until(
            lambda: api.get(f"/backfills/{backfill['id']}")["completed_at"],
            "the end of the backfill",
            SECONDS,
        )

    def assert_true(self) -> None:
        """See that marts and tags are as the simulator knows, and as the vault says."""
        self.new.palate("simulate", "truth", "--compare", "--wait", "60")
        self.new.palate("reconcile")


def tasks_of(api: AirflowApi) -> set[tuple[str, str]]:
    """Return the ids of all DAGs and tasks."""
    return {
        (dag["dag_id"], task["task_id"])
        for dag in api.get("/dags", limit=100)["dags"]
        for task in api.get(f"/dags/{dag['dag_id']}/tasks")["tasks"]
    }


@pytest.fixture(scope="package")
def upgrade() -> Iterator[Upgrade]:
    """Run the old version, stop it amid its work, go on with the new one."""
    # Below the system's own folder for temporary files: PostgreSQL's account has to get
    # there, and the path of a socket must be short.
    folder = Path(tempfile.mkdtemp(prefix="palate-"))
    folder.chmod(0o755)
    var = folder / "var"
    var.mkdir(mode=0o755)
    # The old version knows no port of metrics; the new one takes the default then.
    ports = replace(Ports.free(), metrics=Ports().metrics)
    known = {name: port for name, port in asdict(ports).items() if name != "metrics"}
    (var / "ports.json").write_text(json.dumps(known))
    now = datetime.now(UTC)
    end = now - (now - datetime.min.replace(tzinfo=UTC)) % TICK
    try:
        old = Version(take_from_git(FROM, folder / "old"), var)
        new = Version(REPOSITORY, var)
        found = Upgrade(old, new, Stack(var, ports), end - 2 * _HALF, end)
        _work_with_the_old_version(found)
        _stop_amid_the_work(found)
        _go_on_with_the_new_version(found)
        yield found
    finally:
        Stack(var, ports).down(wipe=True)
        shutil.rmtree(folder, ignore_errors=True)


def _work_with_the_old_version(it: Upgrade) -> None:
    with _said(f"{FROM} is installed"):
        it.old.make("install")
    with _said("its stack is up"):
        it.old.make("up")
    middle = it.start + _HALF
    with _said(f"{_LOADED:,} orders are loaded"):
        it.old.palate("simulate", "dictionaries", "--late", "0.05", *_time(it, middle))
        _send(it, _LOADED, middle)
        it.wait_until_counted()
    for tag, kind, name, threshold in _RULES:
        it.old.palate("tags", "add", tag, kind, name, "--threshold", threshold)
    with _said("half an hour is backfilled"), it.airflow() as api:
        it.backfill(api, it.start + TICK, middle, "none")


def _stop_amid_the_work(it: Upgrade) -> None:
    """Kill the scheduler and its tasks, and stop all else.

    The vault is in the middle of a batch then, and so is the drain; and more waits in
    Kafka. Whoever has a table's lock keeps them there.
    """
    dsn = it.stack.env()["DWH_DSN"]
    # Not closed before the server ends: until then the locks are held.
    with _said("stopped amid the work"), closing(psycopg.connect(dsn)) as holding:
        holding.execute("LOCK TABLE dds.s_order_version IN SHARE MODE")
        _send(it, _IN_THE_VAULT, it.start + _HALF + _HALF / 2)
        _wait_for_a_blocked(holding, "dds.s_order_version")
        holding.execute("LOCK TABLE stg.order_events IN SHARE MODE")
        _send(it, _IN_KAFKA, it.end)
        with it.airflow() as api:
            # The bell has rung already for what the vault is at.
            api.trigger({}).raise_for_status()
            _wait_for_a_blocked(holding, "stg.order_events")
            it.tasks = tasks_of(api)
            it.runs = api.runs()
        it.bells = it.find_bells()
        kill(it.stack, "scheduler")
        it.old.make("down")


def _go_on_with_the_new_version(it: Upgrade) -> None:
    it.new.make("up-services")
    it.ends_before = it.ends()
    with it.connect() as dwh:
        it.before = Snapshot.take(dwh)
        it.migrated = it.new.palate("migrate")
        it.after = Snapshot.take(dwh)
    it.upgraded = datetime.now(UTC)
    with _said("this version's stack is up"):
        it.new.make("up")


def _send(it: Upgrade, orders: int, end: datetime) -> None:
    """Send a part of the history, with all difficulties."""
    options = ("--demo", "--own-time", "--orders", str(orders))
    it.old.palate("simulate", "history", *options, *_time(it, end))


def _time(it: Upgrade, end: datetime) -> tuple[str, ...]:
    """Return the options that say when a part of the history is."""
    half = it.start + _HALF
    days = (_HALF if end <= half else _HALF / 2) / timedelta(days=1)
    # A run looks at what is before its tick; the simulator's last are at the very end.
    return ("--days", str(days), "--until", f"{end - timedelta(seconds=1):%F %T}")


def _wait_for_a_blocked(dwh: Dwh, table: str) -> None:
    query = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
    until(lambda: dwh.execute(query, (table,)).fetchone(), f"who waits for {table}")


@contextmanager
def _said(what: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    print(f"{what} ({time.monotonic() - start:.0f} s)", flush=True)
