"""A worker dies, or sleeps, at any statement: nothing is lost, nothing is doubled."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.faults.ground import Ground
from tests.faults.points import Trip
from tests.faults.table import Results
from tests.faults.worker import ENDLESS, REBUILDS, SHORT, STAGES

_WRITES = re.compile(
    r": (COPY|COMMIT|INSERT INTO \w+\.|DELETE FROM \w+\.|UPDATE|MERGE|TRUNCATE|WITH"
    r"|SEND|REDIS)"
)


def test_nothing_breaks_without_a_fault(ground: Ground, results: Results) -> None:
    """The base line: else the other rows would prove nothing."""
    ground.send_traffic(60)
    assert ground.run(passes=2)[0] == 0

    results.add("none", 1, ground.verdict())


def test_killed_at_some_statements(ground: Ground, results: Results) -> None:
    names = ground.statements(STAGES)
    chosen = names[3 :: len(names) // 20]

    for number, name in enumerate(chosen):
        _kill_at(ground, name, STAGES, inside=number % 2 == 0)

    results.add("kill -9 at some statements", len(chosen), ground.verdict())


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize(
    ("what", "stages"),
    [
        pytest.param("the stages", STAGES, id="stages"),
        pytest.param("replay and sync", ("replay", "vault", "sync"), id="replay"),
        pytest.param("rebuild", REBUILDS, id="rebuild"),
    ],
)
def test_killed_before_every_statement(
    ground: Ground, results: Results, what: str, stages: tuple[str, ...]
) -> None:
    names = ground.statements(stages)
    for name in names:
        _kill_at(ground, name, stages, inside=False)

    fault = f"kill -9 between every two statements of {what}"
    results.add(fault, len(names), ground.verdict())


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_killed_inside_statements_that_write(ground: Ground, results: Results) -> None:
    """The statement was sent, and nobody reads its answer."""
    stages = (*STAGES, "replay", "sync", *REBUILDS)
    names = [
        name
        for name in ground.statements(stages)
        if _WRITES.search(name) and (name.endswith("#1") or ": COMMIT" in name)
    ]
    for name in names:
        _kill_at(ground, name, stages, inside=True)

    fault = "kill -9 inside every statement that writes"
    results.add(fault, len(names), ground.verdict())


@pytest.mark.parametrize(
    "kills",
    [6, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(1_800)])],
)
def test_killed_at_random(ground: Ground, results: Results, kills: int) -> None:
    ground.storm(workers=3, kills=kills)

    results.add("kill -9 at random, three workers", kills, ground.verdict())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_in_lanes(ground: Ground, results: Results) -> None:
    """The vault loads by several connections at once."""
    lanes = {"palate_vault_lanes": 4, "palate_chunk_positions": 20}
    ground.settings = ground.settings.model_copy(update=lanes)
    ground.storm(workers=3, kills=40, trickle=60, worth_a_lane=1)

    results.add("kill -9 at random, four lanes in the vault", 40, ground.verdict())


def test_same_run_by_two_schedulers(ground: Ground, results: Results) -> None:
    """The same tasks of the same run, at the same time and again and again."""
    ground.send_traffic(40)
    started = [ground.start(run_id="same", passes=2) for _ in range(2)]
    for process, _job in started:
        process.join(60)

    results.add("two schedulers' worth of one run", 4, ground.verdict())


def test_backfill_beside_live_runs(ground: Ground, results: Results) -> None:
    """It reads what is staged again, and what is not only up to its interval's end."""
    now = datetime.now(UTC)
    ground.send_traffic(30)
    ground.run()
    ground.start(passes=ENDLESS)
    for minutes in (60, 1):
        ground.start(interval=(now - timedelta(minutes=minutes), datetime.now(UTC)))
        ground.send_traffic(20)
    _, backfill = ground.run(interval=(now, datetime.now(UTC)))
    ground.kill_workers()

    assert "compared" in backfill.log.read_text()
    results.add("backfill beside live runs", 3, ground.verdict())


# Where a run that lost its lock would do harm if it went on.
PLACES = {
    "COPY": ("drain", Trip(text="COPY row 16")),
    "drain": ("drain", Trip(text="COMMIT")),
    "parse": ("vault", Trip(text="CREATE TEMP TABLE batch_order_lines")),
    "vault": ("vault", Trip(text="COMMIT")),
    "dictionaries": ("dictionaries", Trip(text="DELETE FROM ops.dictionary_lookups")),
    "counters": ("user_product_counters", Trip(text="MERGE INTO cdm.")),
    "mart": ("user_category_counters", Trip(text="COMMIT")),
    "tags": ("tags", Trip(text="CREATE TEMP TABLE due")),
    "sending to Kafka": ("publish", Trip(text="SEND")),
    "writing to Redis": ("publish", Trip(text="REDIS")),
}


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(
            name,
            marks=[]
            if name in ("COPY", "counters", "sending to Kafka", "writing to Redis")
            else [pytest.mark.slow],
        )
        for name in PLACES
    ],
)
def test_sleeper_does_not_commit(ground: Ground, results: Results, place: str) -> None:
    """Its session, and with it its lock, has gone while it slept.

    The server ends a session that is idle in a transaction; in a COPY it can't tell
    sleep from patience, and the run that waits for the lock ends it. Others have more
    to do meanwhile, so what the sleeper has in its hands is old when it wakes.
    """
    stage, trip = PLACES[place]
    ground.send_traffic(60)
    ground.run()
    ground.stir()
    if before := STAGES[: STAGES.index(stage)]:
        ground.run(stages=before)

    def run_another() -> None:
        ground.stir()
        # One that waits for a lock goes by its own patience with a session that hangs.
        name = "idle_in_transaction_session_timeout"
        code, made = ground.run(session={name: SHORT[name]})
        assert code == 0, made.log.read_text()

    code, sleeper = ground.run_interrupted(
        trip, run_another, stages=(stage,), session=SHORT
    )

    assert code == 1
    assert re.search("ServiceUnavailableError|StageBusyError", sleeper.log.read_text())
    results.add(f"SIGSTOP in {place}, another run, SIGCONT", 1, ground.verdict())


def _kill_at(ground: Ground, name: str, stages: tuple[str, ...], inside: bool) -> None:
    """Run the stages until they die at the named statement.

    What came decides which statements a run has: now and then it lacks one.
    """
    for _ in range(5):
        ground.stir()
        if "drain" not in stages:
            ground.run(stages=("drain",))
        if ground.run_killed(Trip(name=name, inside=inside), stages=stages):
            return
    raise AssertionError(f"Never reached: {name}")
