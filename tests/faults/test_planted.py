"""Bugs as people write them: the harness must see each, or its table proves nothing."""

from tests.faults.ground import Ground
from tests.faults.points import Trip
from tests.faults.table import Results
from tests.faults.worker import STAGES

MARTS = STAGES[3:]


def test_offset_in_its_own_transaction(ground: Ground, results: Results) -> None:
    """Killed between the two commits, the next run stages the same messages again.

    The primary key of STG, the last guard, has to go, or the second run would fail.
    """
    bug = "offset in its own transaction"
    with ground.connect() as conn:
        conn.execute("ALTER TABLE stg.order_events DROP CONSTRAINT order_events_pkey")
    ground.send_traffic(20)
    assert ground.run_killed(
        Trip(text="INSERT INTO ops.watermarks"), stages=("drain",), bug=bug
    )

    verdict = ground.verdict()

    assert verdict.doubled >= 20
    results.caught(bug, verdict)


def test_no_lock(ground: Ground, results: Results) -> None:
    """One run sleeps before it moves the counters, another one moves them.

    The primary key of what was counted is the last guard here.
    """
    with ground.connect() as conn:
        table = f"cdm.{MARTS[0]}_counted"
        conn.execute(f"ALTER TABLE {table} DROP CONSTRAINT {MARTS[0]}_counted_pkey")
    ground.send_traffic(40)
    ground.run(stages=STAGES[:3])
    ground.run_beside_a_sleeper(
        Trip(text="DELETE FROM cdm."), stages=(MARTS[0],), bug="no lock"
    )

    results.caught("no lock", ground.verdict())


def test_arrival_order_instead_of_version_time(
    ground: Ground, results: Results
) -> None:
    bug = "arrival order instead of version time"
    for _ in range(2):
        ground.send_traffic(40)
        ground.run(bug=bug)

    results.caught(bug, ground.verdict())


def test_insert_if_different_from_latest(ground: Ground, results: Results) -> None:
    bug = "insert if different from latest"
    for _ in range(2):
        ground.send_traffic(40)
        ground.run(bug=bug)

    results.caught(bug, ground.verdict())


def test_counter_plus_one(ground: Ground, results: Results) -> None:
    bug = "counter += 1 without taking out"
    for _ in range(2):
        ground.send_traffic(40)
        ground.run(bug=bug)

    results.caught(bug, ground.verdict())
