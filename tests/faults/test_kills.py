"""A worker dies, or sleeps, at any statement: nothing is lost, nothing is doubled."""

import pytest

from tests.faults.ground import Ground
from tests.faults.points import Trip
from tests.faults.table import Results
from tests.faults.worker import STAGES


def test_nothing_breaks_without_a_fault(ground: Ground, results: Results) -> None:
    """The base line: else the other rows would prove nothing."""
    ground.send_traffic(60)
    assert ground.run(passes=2)[0] == 0

    results.add("none", 1, ground.verdict())


def test_killed_at_some_statements(ground: Ground, results: Results) -> None:
    ground.send_traffic(20)
    reached = ground.points()
    # Every seventh statement, with another remainder for each stage's commits.
    chosen = range(3, len(reached), max(len(reached) // 12, 1))

    killed = sum(_killed(ground, number, inside=number % 2 == 0) for number in chosen)

    assert killed >= 10
    results.add("kill -9 at chosen statements", killed, ground.verdict())


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("inside", [False, True], ids=["before", "inside"])
def test_killed_at_every_statement(
    ground: Ground, results: Results, inside: bool
) -> None:
    ground.send_traffic(30)
    number = len(ground.points())
    assert number > 100

    killed = sum(_killed(ground, at, inside) for at in range(1, number + 1))

    assert killed > number * 0.9
    place = "inside" if inside else "before"
    results.add(f"kill -9 {place} every statement", killed, ground.verdict())


@pytest.mark.parametrize(
    "kills",
    [6, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(1_800)])],
)
def test_killed_at_random(ground: Ground, results: Results, kills: int) -> None:
    ground.storm(workers=3, kills=kills)

    results.add("kill -9 at random, three workers", kills, ground.verdict())


# Where a run that lost its lock would do harm if it went on.
PLACES = {
    "drain": ("drain", Trip(text="COMMIT")),
    "parse": ("vault", Trip(text="CREATE TEMP TABLE batch_order_lines")),
    "vault": ("vault", Trip(text="COMMIT")),
    "dictionaries": ("dictionaries", Trip(text="DELETE FROM ops.dictionary_lookups")),
    "counters": ("user_product_counters", Trip(text="MERGE INTO cdm.")),
    "mart": ("user_category_counters", Trip(text="COMMIT")),
}


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(
            name, marks=[] if name in ("vault", "counters") else [pytest.mark.slow]
        )
        for name in PLACES
    ],
)
def test_sleeper_does_not_commit(ground: Ground, results: Results, place: str) -> None:
    """Its session, and with it its lock, has gone while it slept."""
    stage, trip = PLACES[place]
    ground.send_traffic(40)
    before = STAGES[: STAGES.index(stage)]
    if before:
        ground.run(stages=before)

    code, sleeper = ground.run_beside_a_sleeper(
        trip, stages=(stage,), session={"idle_in_transaction_session_timeout": "2s"}
    )

    assert code == 1
    assert "ServiceUnavailableError" in sleeper.log.read_text()
    results.add(f"SIGSTOP in {place}, another run, SIGCONT", 1, ground.verdict())


def _killed(ground: Ground, number: int, inside: bool) -> bool:
    ground.send_traffic(4)
    return ground.run_killed(Trip(number=number, inside=inside))
