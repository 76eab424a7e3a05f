"""Bugs as people write them: the harness must see each, or its table proves nothing."""

import pytest

from deploy.local.stack import Stack
from tests.faults.conftest import MakeGround
from tests.faults.ground import Ground
from tests.faults.harm import kafka_down, lose_tail
from tests.faults.points import Trip
from tests.faults.table import Results
from tests.faults.worker import MARTS, SHORT, STAGES


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
    job = {"stages": (MARTS[0],), "bug": "no lock"}
    ground.run_interrupted(
        Trip(text="DELETE FROM cdm."), lambda: ground.run(**job), **job
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


def test_tags_that_nobody_loses(ground: Ground, results: Results) -> None:
    bug = "a tag, once given, is never taken away"
    for _ in range(2):
        ground.send_traffic(40)
        ground.edit_rules()
        ground.run(bug=bug)

    results.caught(bug, ground.verdict())


def test_outbox_in_its_own_transaction(ground: Ground, results: Results) -> None:
    """Killed between the two commits, nobody knows what the app has to be told."""
    bug = "outbox in its own transaction"
    ground.stir()
    ground.run(stages=STAGES[:-2])
    trip = Trip(text="CREATE TEMP TABLE changed_guests", nth=2)
    assert ground.run_killed(trip, stages=("tags",), bug=bug)

    verdict = ground.verdict()

    assert verdict.lost
    results.caught(bug, verdict)


def test_published_is_marked_before_it_is_sent(
    ground: Ground, results: Results
) -> None:
    bug = "marked as published, then sent"
    ground.stir()
    ground.run(stages=STAGES[:-1])
    assert ground.run_killed(Trip(text="SEND"), stages=("publish",), bug=bug)

    verdict = ground.verdict()

    assert verdict.lost
    results.caught(bug, verdict)


@pytest.mark.parametrize(
    ("bug", "place"),
    [
        ("Kafka: a publisher that slept is not shut out", "SEND"),
        ("Redis: written without comparing the version", "REDIS"),
    ],
    ids=["kafka", "redis"],
)
def test_publisher_that_sleeps_on_an_older_state(
    ground: Ground, results: Results, bug: str, place: str
) -> None:
    """Another one publishes newer states of the same guests meanwhile."""
    ground.send_traffic(60)
    ground.run()
    ground.stir()
    ground.run(stages=STAGES[:-1])

    def publish_newer_states() -> None:
        ground.stir()
        assert ground.run()[0] == 0

    ground.run_interrupted(
        Trip(text=place),
        publish_newer_states,
        stages=("publish",),
        session=SHORT,
        bug=bug,
    )

    results.caught(bug, ground.verdict())


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_tail_of_a_log_is_not_proven(
    make_breakable_ground: MakeGround, breakable: Stack, results: Results
) -> None:
    """The log has lost its end and grown past the watermark before a run looks."""
    bug = "the tail of a log is not proven"
    with make_breakable_ground() as ground:
        topic = next(iter(ground.topics))
        _fill(ground, topic, 6)
        assert ground.run()[0] == 0
        with kafka_down(breakable):
            lose_tail(breakable, topic, 0, 3)
        ground.new_producer()
        ground.epochs[topic, 0] = 1
        _fill(ground, topic, 5)
        assert ground.run(bug=bug)[0] == 0

        verdict = ground.verdict()

        assert verdict.lost >= 3
        results.caught(bug, verdict)


def _fill(ground: Ground, topic: str, number: int) -> None:
    for _ in range(number):  # each a batch of its own
        value = ground.traffic.value(ground.topics[topic]) or b"x"
        ground.send(topic, value)
        ground.flush()
