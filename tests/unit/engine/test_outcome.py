from collections import Counter
from datetime import UTC, datetime

from palate.engine.outcome import Batch, Caller, Outcome
from palate.positions.ranges import FeedPartition, Range

LOG = FeedPartition("orders", 0, 1)
NOW = datetime(2023, 8, 1, tzinfo=UTC)


def batch(start: int, end: int, *, is_repeat: bool = False, **counts: int) -> Batch:
    return Batch([Range(LOG, start, end)], is_repeat, NOW, Counter(counts))


def test_outcome_of_nothing_says_so() -> None:
    assert str(Outcome("drain")) == "drain: nothing to do."
    assert Outcome("drain").as_dict()["outcome"] == "nothing"


def test_note_says_why_nothing_was_done() -> None:
    outcome = Outcome("drain", note="Stopped at a limit.")
    assert str(outcome) == "drain: nothing to do. Stopped at a limit."


def test_outcome_adds_up_its_batches() -> None:
    outcome = Outcome("drain")
    outcome.add(batch(0, 5, messages=5))
    outcome.add(batch(5, 9, messages=3))
    assert str(outcome) == "drain: 2 batches; messages 8; orders[1] 0..8."


def test_outcome_tells_repeats_and_its_note() -> None:
    outcome = Outcome("vault", note="broker time ...")
    outcome.add(batch(0, 5, is_repeat=True, orders=0))
    assert str(outcome) == (
        "vault: 1 batch (1 repeated); orders 0; orders[1] 0..4. broker time ..."
    )
    assert outcome.as_dict() == {
        "stage": "vault",
        "outcome": "done",
        "batches": 1,
        "repeated": 1,
        "counts": {"orders": 0},
        "ranges": ["orders[1] 0..4"],
        "note": "broker time ...",
    }


def test_calls_from_a_shell_are_told_apart() -> None:
    first, second = Caller.in_shell("drain"), Caller.in_shell("vault")
    assert (first.dag_id, first.task_id) == ("shell", "drain")
    assert (first.run_id, first.task_id) != (second.run_id, second.task_id)
    assert first.interval is None
