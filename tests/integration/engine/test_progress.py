"""Long work keeps its place: what a task has committed, its next attempt leaves alone.

A task is killed here right after a batch has committed, as by the limit of its time;
``tests/faults`` kills whole processes.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from palate.clients import redis_connection
from palate.engine.outcome import Batch, Caller, Outcome
from palate.landing import dictionaries
from palate.marts import gathered
from palate.marts import stage as marts
from palate.marts.definitions import load_marts
from palate.pipelines import look_up
from palate.positions.ranges import FeedPartition, Range
from palate.positions.watermark import advance
from palate.settings import Settings
from palate.tags import stage as tags
from palate.vault import stage as vault
from tests.food import FOOD
from tests.integration.emptied import Emptied
from tests.integration.staged import caller, load, stage_entries, stage_messages
from tests.model.compare import actual, assert_equal, expected
from tests.model.history import History, Message
from tests.unit.model.stories import dish, guest, line, menu, raw

TOPIC = "order-service_orders"
MART = next(iter(load_marts("food")))
Run = Callable[[Settings, Caller], Outcome]


class TimeLimitError(BaseException):
    """Stands for what Airflow raises in a task that has run for too long."""


def killed_after(task: Caller, batches: int) -> Caller:
    """Return the same caller, whose task is killed after so many batches."""
    numbers = count(1)

    def on_batch(_: str, __: Batch) -> None:
        if next(numbers) == batches:
            raise TimeLimitError

    return replace(task, on_batch=on_batch)


def run_to_the_end(run: Run, settings: Settings, task: Caller, batches: int) -> int:
    """Run a task again and again, killed after so many batches; return how often."""
    for attempt in range(1, 100):
        try:
            run(settings, killed_after(task, batches))
        except TimeLimitError:
            continue
        return attempt
    raise AssertionError("it never ends")


def orders(
    numbers: Iterable[int], offsets: Iterable[int] | None = None
) -> list[Message]:
    """Return an order for each number, of seven guests."""
    wanted = list(numbers)
    return [
        raw(
            number,
            [line(f"d{number % 3}"), line("d4", 2)],
            user=f"u{number % 7}",
            offset=offset,
        )
        for number, offset in zip(wanted, offsets or wanted, strict=True)
    ]


@pytest.fixture
def small(emptied: Emptied, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Give an empty warehouse whose stages take ten positions at a time."""
    emptied.empty()
    monkeypatch.setattr(gathered, "_CHUNK", 10)
    return emptied.settings.model_copy(update={"palate_chunk_positions": 10})


def batches(emptied: Emptied, stage: str, *, is_repeat: bool) -> list[tuple[int, int]]:
    """Return the offsets that a stage's batches took, in their order."""
    return emptied.conn.execute(
        "SELECT r.from_offset, r.to_offset FROM ops.batches AS b"
        " INNER JOIN ops.batch_ranges AS r USING (batch_id)"
        " WHERE b.stage = %s AND b.is_repeat = %s ORDER BY b.batch_id",
        (stage, is_repeat),
    ).fetchall()


def chunks_of_ten(end: int) -> list[tuple[int, int]]:
    return [(start, start + 10) for start in range(0, end, 10)]


def run_mart(settings: Settings, task: Caller) -> Outcome:
    return marts.run(settings, MART, task)


def run_vault(settings: Settings, task: Caller) -> Outcome:
    return vault.run(settings, FOOD, task)


def test_vault_killed_twice_takes_no_position_twice(
    emptied: Emptied, small: Settings
) -> None:
    stage_messages(emptied.conn, orders(range(60)))
    task = caller("vault", "run")
    for _ in range(2):
        with pytest.raises(TimeLimitError):
            vault.run(small, FOOD, killed_after(task, 2))

    vault.run(small, FOOD, task)

    assert batches(emptied, "vault", is_repeat=False) == chunks_of_ten(60)
    assert batches(emptied, "vault", is_repeat=True) == []


def test_repeat_of_a_cleared_vault_keeps_its_place(
    emptied: Emptied, small: Settings
) -> None:
    stage_messages(emptied.conn, orders(range(60)))
    task = caller("vault", "run")
    vault.run(small, FOOD, task)

    for _ in range(2):  # cleared, and cleared once more
        before = len(batches(emptied, "vault", is_repeat=True))
        assert run_to_the_end(run_vault, small, task, 2) == 4
        repeated = batches(emptied, "vault", is_repeat=True)[before:]
        assert repeated == chunks_of_ten(60)
    assert batches(emptied, "vault", is_repeat=False) == chunks_of_ten(60)


def test_what_a_killed_attempt_did_is_repeated_once_its_task_is_cleared(
    emptied: Emptied, small: Settings
) -> None:
    stage_messages(emptied.conn, orders(range(30)))
    task = caller("vault", "run")
    with pytest.raises(TimeLimitError):
        vault.run(small, FOOD, killed_after(task, 1))
    vault.run(small, FOOD, caller("vault", "another"))
    assert vault.run(small, FOOD, task).batches == 0
    emptied.conn.execute("DELETE FROM dds.s_order_cost")

    vault.run(small, FOOD, task)

    # Its own first ten, and not what the other run took.
    assert batches(emptied, "vault", is_repeat=True) == [(0, 10)]


def test_mart_killed_again_and_again_counts_each_position_once(
    emptied: Emptied, small: Settings
) -> None:
    messages = orders(range(50))
    stage_messages(emptied.conn, messages)
    vault.run(small, FOOD, caller("vault"))
    for name in load_marts("food"):

        def run(settings: Settings, task: Caller, name: str = name) -> Outcome:
            return marts.run(settings, name, task)

        assert run_to_the_end(run, small, caller(name, "run"), 1) == 6
        assert batches(emptied, f"mart:{name}", is_repeat=False) == chunks_of_ten(50)
    assert_equal(expected(History(tuple(messages))), actual(emptied.conn))


def guest_chunks(emptied: Emptied, stage: str) -> tuple[int, int, int]:
    """Return how many chunks of guests were counted, how many different, all guests."""
    return emptied.conn.execute(
        "SELECT count(*), count(DISTINCT g.done_until),"
        " coalesce(sum((b.counts ->> 'guests')::bigint), 0)::bigint"
        " FROM ops.batch_guests AS g INNER JOIN ops.batches AS b USING (batch_id)"
        " WHERE b.stage = %s",
        (stage,),
    ).fetchone() or (0, 0, 0)


def test_recount_of_a_cleared_mart_keeps_its_place(
    emptied: Emptied, small: Settings
) -> None:
    messages = orders(range(50))
    stage_messages(emptied.conn, messages)
    vault.run(small, FOOD, caller("vault"))
    task = caller(MART, "run")
    run_mart(small, task)
    emptied.conn.execute(f"UPDATE cdm.{MART} SET order_cnt = order_cnt + 1")

    attempts = run_to_the_end(run_mart, small, task, 1)

    number, different, guests = guest_chunks(emptied, f"mart:{MART}")
    assert number == different > 2
    assert attempts == number + 1
    assert guests == 7
    for name in load_marts("food"):
        marts.run(small, name, caller(name))
    assert_equal(expected(History(tuple(messages))), actual(emptied.conn))


def test_tags_of_a_cleared_task_keep_their_place(
    emptied: Emptied, small: Settings
) -> None:
    stage_messages(emptied.conn, orders(range(40)))
    load(small, "run")
    stage_messages(emptied.conn, orders(range(40, 41)))
    task = caller("tags", "run")

    assert run_to_the_end(tags.run, small, task, 1) == 5

    assert batches(emptied, "tags", is_repeat=True) == chunks_of_ten(40)


GIVEN_UP = 500_000_000


def lookup(settings: Settings) -> None:
    dictionaries._name_unknown(settings, FOOD, caller("dictionaries"))


def give_up(emptied: Emptied, start: int) -> None:
    """Let the drain's watermark pass offsets that nobody has any more."""
    log = FeedPartition(TOPIC, 0, 0)
    with emptied.conn.transaction():
        now = datetime.now(UTC)
        advance(emptied.conn, "drain", [Range(log, start, start + GIVEN_UP)], now)


def number_of_batches(emptied: Emptied) -> dict[str, int]:
    rows = emptied.conn.execute("SELECT stage, count(*) FROM ops.batches GROUP BY 1")
    return dict(rows.fetchall())


STAGES = {
    "vault",
    "lookup",
    "tags",
    *(mart.stage for mart in load_marts("food").values()),
}


def test_offsets_that_were_given_up_take_no_batches_of_their_own(
    emptied: Emptied, small: Settings
) -> None:
    after = range(GIVEN_UP + 15, GIVEN_UP + 30)
    messages = [*orders(range(15)), *orders(range(100, 115), after)]
    stage_messages(emptied.conn, messages[:15])
    give_up(emptied, 15)
    stage_messages(emptied.conn, messages[15:])

    load(small)
    lookup(small)

    found = number_of_batches(emptied)
    assert {stage: found[stage] for stage in STAGES} == dict.fromkeys(STAGES, 3) | {
        "tags": found["tags"]
    }
    assert found["tags"] < 10
    assert_equal(expected(History(tuple(messages))), actual(emptied.conn))


def test_compacted_topic_is_cut_by_its_messages(
    emptied: Emptied, small: Settings
) -> None:
    messages = orders(range(30), range(0, 300_000, 10_000))
    stage_messages(emptied.conn, messages)

    load(small)
    lookup(small)

    found = number_of_batches(emptied)
    assert all(found[stage] == 3 for stage in STAGES - {"tags"})
    assert_equal(expected(History(tuple(messages))), actual(emptied.conn))


def test_new_mart_is_filled_past_offsets_without_messages(
    emptied: Emptied, small: Settings
) -> None:
    stage_messages(emptied.conn, orders(range(5)))
    give_up(emptied, 5)
    vault.run(small, FOOD, caller("vault"))
    emptied.conn.execute(
        "UPDATE ops.definitions SET filled_dt = NULL WHERE name = %s", (MART,)
    )

    outcome = marts.run(small, MART, caller(MART))

    assert outcome.batches == 1
    assert outcome.note == f"{MART} has all of the history now."


def test_entries_of_a_backfill_are_loaded_without_its_interval(
    emptied: Emptied, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = guest("u1", "2023-08-01 10:00:00")
    monkeypatch.setattr(redis_connection, "open_redis", _redis({entry.id: entry.value}))
    stage_messages(emptied.conn, orders(range(20)))
    vault.run(small, FOOD, caller("vault"))
    interval = (datetime(2023, 8, 1, tzinfo=UTC), datetime(2024, 8, 1, tzinfo=UTC))
    task = replace(caller("dictionaries", "backfill"), interval=interval)

    outcome = look_up(small, task)

    assert outcome.counts["s_user_names"] == 1
    rows = emptied.conn.execute(
        "SELECT DISTINCT stage FROM ops.stage_runs WHERE task_id = 'dictionaries'"
    )
    assert {stage for (stage,) in rows} == {"lookup", "dictionaries", "vault"}
    assert batches(emptied, "vault", is_repeat=True) == []


def _redis(entries: dict[str, bytes]) -> Any:
    class Client:
        def __init__(self, *_: object) -> None: ...

        def __enter__(self) -> "Client":
            return self

        def __exit__(self, *_: object) -> None: ...

        def mget(self, keys: Iterable[str]) -> list[bytes | None]:
            return [entries.get(key) for key in keys]

    return Client


def test_menus_pass_through_chunks_too(emptied: Emptied, small: Settings) -> None:
    """Entries have a log of their own, without gaps, and in another table."""
    entries = [
        menu("r", f"2023-08-01 10:00:{n:02}", dish("d1", f"n{n}")) for n in range(25)
    ]
    stage_entries(small, entries)
    load(small)
    lookup(small)
    assert all(
        number == 3
        for stage, number in number_of_batches(emptied).items()
        if stage in STAGES - {"tags"}
    )
