"""Airflow fails: whatever becomes of its parts and runs, each message counts once.

The stack is these tests' own. Airflow itself has to take the messages to the marts;
only then does the checker look.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
import psycopg
import pytest

from deploy.local import postgres
from deploy.local.secrets import Secrets
from deploy.local.stack import Stack
from palate.marts.definitions import load_marts
from palate.settings import Settings
from tests.e2e.airflow_api import DAG, AirflowApi, Json, until
from tests.e2e.runs import is_quiet
from tests.faults.ground import Ground
from tests.faults.harm import kill, service
from tests.faults.table import Results
from tests.faults.traffic import Traffic

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]


@pytest.fixture(scope="module")
def ground(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Send to the stack's own topics, and know what was sent, test after test."""
    env = stack.env()
    settings = Settings(
        dwh_dsn=env["DWH_DSN"],
        kafka_bootstrap=env["KAFKA_BOOTSTRAP"],
        redis_url=env["REDIS_URL"],
    )
    folder = tmp_path_factory.mktemp("airflow")
    with Ground(settings, folder, Traffic(7)) as found:
        with _login(stack):
            pass  # it knows the DAG by now
        yield found


@pytest.mark.parametrize("kills", [5])
def test_scheduler_killed_with_tasks_running(
    stack: Stack, ground: Ground, results: Results, kills: int
) -> None:
    for _ in range(kills):
        ground.send_traffic(200)
        _wait_for_a_running_stage(ground)
        kill(stack, "scheduler")
        stack.up_airflow()

    _wait_until_counted(ground)
    results.add("scheduler killed with tasks running", kills, ground.verdict())


def test_metadata_database_restarted(
    stack: Stack, ground: Ground, results: Results
) -> None:
    """The warehouse is on the same server, and goes with it."""
    for _ in range(3):
        ground.send_traffic(100)
        _wait_for_a_running_stage(ground)
        server = service(stack, "postgres")
        server.send_signal(signal.SIGQUIT)
        with suppress(psutil.NoSuchProcess):
            server.wait(30)
        stack.up_airflow()

    _wait_until_counted(ground)
    results.add("metadata database restarted at once", 3, ground.verdict())


def test_cleared_and_deleted(stack: Stack, ground: Ground, results: Results) -> None:
    """A task, a run, and a run that goes on; and the runs that did the work go."""
    with _login(stack) as api:
        ground.send_traffic(40)
        _wait_until_counted(ground)
        api.clear(_last_over(api)["dag_run_id"], ["drain"])
        api.clear(_last_over(api)["dag_run_id"], ["vault", *load_marts("food")])
        ground.send_traffic(40)
        _wait_for_a_running_stage(ground)
        for run in api.runs()[:5]:
            api.clear(run["dag_run_id"])
        ground.send_traffic(100)
        _wait_for_a_running_stage(ground)
        deleted = [run["dag_run_id"] for run in api.runs()[:5]]
        for run_id in deleted:
            path = f"/api/v2/dags/{DAG}/dagRuns/{run_id}"
            # A run that goes on has to be ended first; that ends its tasks.
            failed = {"state": "failed"}
            api._client.patch(path, json=failed).raise_for_status()
            api._client.delete(path).raise_for_status()

    _wait_until_counted(ground)
    results.add("tasks and runs cleared", 7, ground.verdict())
    results.add("runs failed by hand and deleted", len(deleted), ground.verdict())


def test_event_of_the_bell_doubled(
    stack: Stack, ground: Ground, results: Results
) -> None:
    with _login(stack) as api:
        (asset,) = api.get("/assets", name_pattern="orders_waiting")["assets"]
        for _ in range(5):
            ground.send_traffic(20)
            for _ in range(4):
                event = {"asset_id": asset["id"], "extra": {}}
                api.post("/assets/events", event).raise_for_status()

    _wait_until_counted(ground)
    results.add("event of the bell four times too often", 5, ground.verdict())


_LOSE_EVENTS = """
CREATE TABLE lost_events (dag_id text);
CREATE FUNCTION lose_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO lost_events VALUES (new.target_dag_id);
    RETURN NULL;
END $$;
CREATE TRIGGER lose_event BEFORE INSERT ON asset_dag_run_queue
FOR EACH ROW WHEN (new.target_dag_id = 'orders_stream')
EXECUTE FUNCTION lose_event();
"""
_LOSE_NO_MORE = "DROP FUNCTION lose_event CASCADE; DROP TABLE lost_events"


def test_event_of_the_bell_lost(stack: Stack, ground: Ground, results: Results) -> None:
    """Nobody hears it; the bell rings again for what still waits."""
    secrets = Secrets.load(stack.var / "secrets.json")
    dsn = postgres.dsn(stack.ports.postgres, "airflow", secrets.airflow, "airflow")

    def lost() -> int:
        return len(conn.execute("SELECT FROM lost_events").fetchall())

    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(_LOSE_EVENTS)
        try:
            for number in (1, 2, 3):
                ground.send_traffic(10)
                until(lambda n=number: lost() >= n, "an event that is lost")
            number = lost()
        finally:
            conn.execute(_LOSE_NO_MORE)

    _wait_until_counted(ground)
    results.add("event of the bell lost", number, ground.verdict())


def test_triggerer_killed(stack: Stack, ground: Ground, results: Results) -> None:
    """The bell of the next triggerer finds what waits."""
    for _ in range(3):
        kill(stack, "triggerer")
        ground.send_traffic(40)
        stack.up_airflow()

    _wait_until_counted(ground)
    results.add("triggerer killed", 3, ground.verdict())


def test_timed_leg_carries_on_without_the_triggerer(
    stack: Stack, ground: Ground, results: Results
) -> None:
    stack.supervisor.stop("triggerer")
    try:
        # The first run may have been asked for before.
        _wait_until_quiet(stack)
        ground.send_traffic(40)
        _wait_until_counted(ground, seconds=400)
    finally:
        stack.up_airflow()

    results.add("no triggerer: the timed leg carries on", 1, ground.verdict())


@contextmanager
def _login(stack: Stack) -> Iterator[AirflowApi]:
    env = stack.env()
    api = AirflowApi(env["AIRFLOW_URL"], env["AIRFLOW_USER"], env["AIRFLOW_PASSWORD"])
    try:
        until(
            lambda: DAG in [dag["dag_id"] for dag in api.get("/dags")["dags"]],
            f"the DAG {DAG}",
        )
        yield api
    finally:
        api.close()


def _last_over(api: AirflowApi) -> Json:
    """Return the latest run that is over."""
    return next(run for run in api.runs() if run["state"] in ("success", "failed"))


def _wait_until_quiet(stack: Stack) -> None:
    with _login(stack) as api:
        until(lambda: is_quiet(api), "the end of all runs")


def _wait_for_a_running_stage(ground: Ground) -> None:
    """Wait until a task of a run is at work on a stage."""
    with ground.connect() as conn:
        until(
            lambda: conn.execute(
                "SELECT 1 FROM ops.stage_runs WHERE outcome = 'running'"
                " AND dag_id = %s AND started_dt > now() - interval '5 s'",
                (DAG,),
            ).fetchone(),
            "a stage that runs",
        )


def _wait_until_counted(ground: Ground, seconds: float = 300) -> None:
    """Wait until Airflow has taken all that was sent to both marts."""
    ends: dict[tuple[str, int], int] = {}
    for message in ground.messages:
        log = (message.topic, message.partition)
        ends[log] = max(ends.get(log, 0), message.offset + 1)

    def is_counted() -> bool:
        with ground.connect() as conn:
            done = {
                (stage, topic, partition): offset
                for stage, topic, partition, offset in conn.execute(
                    "SELECT stage, topic, kafka_partition, next_offset"
                    " FROM ops.watermarks"
                )
            }
        return all(
            done.get((mart.stage, *log), 0) >= end
            for mart in load_marts("food").values()
            for log, end in ends.items()
        )

    until(is_counted, "all messages in the marts", seconds)
