"""Refused messages: their way back, their dismissal, and the alarm for many of them."""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from typer.testing import CliRunner

from palate.cli.app import app
from palate.engine.stage import open_run
from palate.errors import NotFoundError, RefusedShareError
from palate.landing import replays
from palate.landing.refusals import Selection
from palate.marts import compare
from palate.marts.definitions import load_marts
from palate.positions.ranges import FeedPartition
from palate.positions.watermark import watermarks
from palate.reads import refused
from palate.reads.status import status
from palate.settings import Settings
from palate.vault import load as vault_load
from palate.vault import stage as vault
from tests.corpus.case import BROKER_DT, example
from tests.food import FOOD
from tests.integration.staged import caller, load, stage_messages, with_topics
from tests.model.history import Form, Message
from tests.warehouses import MakeWarehouse

TOPIC = "orders"
NOT_JSON = b"connection test"
EVERYTHING = Selection()


@pytest.fixture
def mended(make_warehouse: MakeWarehouse) -> Iterator[Settings]:
    """Give settings that call the topic's form right."""
    with make_warehouse() as settings:
        yield with_topics(settings, {TOPIC: Form.RAW})


@pytest.fixture
def mistaken(mended: Settings) -> Settings:
    """Give settings for the same warehouse that call the topic's form wrong."""
    return with_topics(mended, {TOPIC: Form.ENRICHED})


@pytest.fixture
def conn(mended: Settings) -> Iterator[Connection]:
    dsn = mended.dwh_dsn.get_secret_value()
    with psycopg.connect(dsn, autocommit=True) as found:
        yield found


def test_replayed_message_loads_like_any_other(
    mended: Settings, mistaken: Settings, conn: Connection
) -> None:
    stage_messages(conn, _messages(_order(1), _order(2), NOT_JSON))
    load(mistaken)
    assert refused.count(conn, EVERYTHING) == {"not_json": 1, "wrong_shape": 2}

    outcome = _replay(mended)

    assert outcome == {"queued": 3}
    assert refused.count(conn, EVERYTHING) == {"not_json": 1}
    assert _loaded(conn) == [0, 1]
    assert _differences(mended) == 0
    assert _pieces(conn) == 2 * 6  # the example's two lines have 5 and 1


def test_second_replay_changes_nothing(
    mended: Settings, mistaken: Settings, conn: Connection
) -> None:
    stage_messages(conn, _messages(_order(1), NOT_JSON))
    load(mistaken)
    _replay(mended)
    before = _everything(conn)

    assert _replay(mended, run_id="second") == {"queued": 1}

    assert _everything(conn) == before


def test_replay_that_died_before_the_vault_is_finished_by_the_next_run(
    mended: Settings, mistaken: Settings, conn: Connection
) -> None:
    stage_messages(conn, _messages(_order(1)))
    load(mistaken)
    replays.run(mended, caller("replays"), EVERYTHING)

    load(mended, run_id="an ordinary run")

    assert _loaded(conn) == [0]
    assert _differences(mended) == 0
    assert _pieces(conn) == 6


def test_replay_that_died_between_vault_and_marts_is_finished_by_the_next_run(
    mended: Settings, mistaken: Settings, conn: Connection
) -> None:
    stage_messages(conn, _messages(_order(1)))
    load(mistaken)
    replays.run(mended, caller("replays"), EVERYTHING)
    vault.run(mended, FOOD, caller("vault", "replay"))
    assert _differences(mended) > 0

    load(mended, run_id="an ordinary run")

    assert _differences(mended) == 0
    assert _pieces(conn) == 6


def test_replay_that_is_killed_in_the_vault_leaves_nothing_half_done(
    mended: Settings, mistaken: Settings, conn: Connection
) -> None:
    stage_messages(conn, _messages(_order(1)))
    load(mistaken)
    replays.run(mended, caller("replays"), EVERYTHING)

    def die_in_the_batch() -> None:
        with open_run(mended, FOOD.vault, caller("vault", "killed")) as attempt:
            ranges = vault.open_ranges(attempt.conn, FOOD.vault, FOOD.upstream)
            with attempt.batch(ranges) as batch:
                vault_load.load(attempt.conn, mended, FOOD, batch)
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die_in_the_batch()

    assert refused.count(conn, EVERYTHING) == {"wrong_shape": 1}
    assert _loaded(conn) == []
    load(mended, run_id="an ordinary run")
    assert refused.count(conn, EVERYTHING) == {}
    assert _pieces(conn) == 6


def test_repeated_task_does_not_evaluate_again(
    mended: Settings, mistaken: Settings, conn: Connection
) -> None:
    """Else the vault would have what the marts of that time never hear of."""
    stage_messages(conn, _messages(_order(1)))
    load(mistaken)

    load(mended)  # the same caller: a cleared run

    assert refused.count(conn, EVERYTHING) == {"wrong_shape": 1}
    assert _loaded(conn) == []


def test_repeated_replay_judges_again_what_it_queued(
    mended: Settings, mistaken: Settings, conn: Connection
) -> None:
    stage_messages(conn, _messages(_order(1)))
    load(mistaken)
    _replay(mistaken)
    assert refused.count(conn, EVERYTHING) == {"wrong_shape": 1}

    assert _replay(mended) == {}  # cleared: it queues nothing twice

    assert refused.count(conn, EVERYTHING) == {}
    assert _differences(mended) == 0


def test_new_table_is_not_filled_with_what_is_refused(
    mended: Settings, mistaken: Settings, conn: Connection
) -> None:
    stage_messages(conn, _messages(_order(1)))
    load(mistaken)
    _replay(mistaken)
    conn.execute(
        "UPDATE ops.definitions SET filled_dt = NULL WHERE name = 's_order_cost'"
    )

    vault.run(mended, FOOD, caller("vault", "fill"))

    assert conn.execute("SELECT count(*) FROM dds.s_order_cost").fetchone() == (0,)
    assert refused.count(conn, EVERYTHING) == {"wrong_shape": 1}


def test_message_that_is_refused_again_tells_todays_reason(
    mended: Settings, mistaken: Settings, conn: Connection
) -> None:
    stage_messages(conn, _messages(_order(1, {"payload.cost": -1})))
    load(mistaken)
    assert refused.count(conn, EVERYTHING) == {"wrong_shape": 1}

    _replay(mended)

    assert refused.count(conn, EVERYTHING) == {"value_out_of_range": 1}


def test_selection_narrows_a_replay(
    mended: Settings, mistaken: Settings, conn: Connection
) -> None:
    stage_messages(conn, _messages(*[_order(n) for n in range(6)], NOT_JSON))
    load(mistaken)
    moments = Selection(
        reasons=("wrong_shape",),
        topic=TOPIC,
        start=BROKER_DT + timedelta(seconds=1),
        end=BROKER_DT + timedelta(seconds=5),
        limit=2,
    )

    assert [item.offset for item in refused.find(conn, moments)] == [1, 2]
    assert refused.count(conn, moments) == {"wrong_shape": 4}
    assert _replay(mended, moments) == {"queued": 2}
    assert _loaded(conn) == [1, 2]


def test_positions_narrow_a_replay_log_by_log(
    mended: Settings, mistaken: Settings, conn: Connection
) -> None:
    stage_messages(conn, _messages(*[_order(n) for n in range(4)]))
    others = [_order(n) for n in range(4, 8)]
    stage_messages(conn, _messages(*others, partition=1))
    load(mistaken)
    chosen = Selection(
        positions=(
            (FeedPartition(TOPIC, 0, 0), ((0, 0), (2, 9))),
            (FeedPartition(TOPIC, 0, 1), ((1, 1),)),
        )
    )

    found = [(one.partition, one.offset) for one in refused.find(conn, chosen)]
    assert found == [(0, 0), (0, 2), (0, 3), (1, 1)]
    assert _replay(mended, chosen) == {"queued": 4}
    with pytest.raises(NotFoundError, match=r"offset 0 of orders\[0\], 1 of orders"):
        replays.run(mended, caller("replays", "again"), chosen)


def test_what_waits_in_the_queue_is_not_queued_twice(
    mended: Settings, mistaken: Settings, conn: Connection
) -> None:
    stage_messages(conn, _messages(_order(1)))
    load(mistaken)
    replays.run(mended, caller("replays", "first"), EVERYTHING)

    second = replays.run(mended, caller("replays", "second"), EVERYTHING)

    assert second.counts["queued"] == 0
    assert watermarks(conn, FOOD.replays) == {FeedPartition("replays", 0, 0): 1}


def test_dismissed_messages_stay_and_are_counted_apart(
    mended: Settings, conn: Connection
) -> None:
    stage_messages(conn, _messages(NOT_JSON, NOT_JSON, b"[]"))
    load(mended)

    number = replays.dismiss(mended, Selection(reasons=("not_json",)), "ada", "a test")

    found = status(mended)
    assert number == replays.Dismissal(2, {})
    assert (found.refused, found.dismissed) == ({"not_an_order": 1}, 2)
    assert refused.count(conn, EVERYTHING) == {"not_an_order": 1}
    everything = Selection(with_dismissed=True)
    assert [
        (item.offset, item.dismissed_by, item.dismissed_why)
        for item in refused.find(conn, everything)
    ] == [(0, "ada", "a test"), (1, "ada", "a test"), (2, None, None)]
    rest = replays.dismiss(mended, everything, "bob", "the rest")
    assert rest == replays.Dismissal(1, {"ada": 2})


def test_position_without_a_refused_message_is_named(conn: Connection) -> None:
    with pytest.raises(NotFoundError, match=r"orders\[0\] offset 7"):
        refused.show(conn, FeedPartition(TOPIC, 0, 0), 7)


def test_many_refused_messages_are_an_alarm_once(
    mended: Settings, conn: Connection
) -> None:
    stage_messages(conn, _messages(*[_order(n) for n in range(40)], *[NOT_JSON] * 10))

    with pytest.raises(RefusedShareError) as caught:
        vault.run(mended, FOOD, caller("vault"))

    assert str(caught.value).startswith(
        "10 of the newest 50 messages were refused (20%; the alarm is set to 20%):"
        " not_json 10."
    )
    assert len(_loaded(conn)) == 40  # what is right is committed
    vault.run(mended, FOOD, caller("vault"))  # the retry repeats the batch
    load(mended, run_id="the next run")
    assert _differences(mended) == 0


def test_few_refused_messages_are_no_alarm(mended: Settings, conn: Connection) -> None:
    stage_messages(conn, _messages(*[_order(n) for n in range(41)], *[NOT_JSON] * 9))
    load(mended)

    assert refused.count(conn, EVERYTHING) == {"not_json": 9}


def test_first_messages_of_all_are_too_few_for_an_alarm(
    mended: Settings, conn: Connection
) -> None:
    stage_messages(conn, _messages(*[NOT_JSON] * 49))

    load(mended)


def test_small_batches_are_an_alarm_once_an_incident(
    mended: Settings, conn: Connection
) -> None:
    """Five messages a batch: 50 orders, 50 of another format, 50 orders, and again."""
    told = []
    for number in range(40):
        is_wrong = number // 10 % 2
        values = [NOT_JSON if is_wrong else _order(number * 5 + n) for n in range(5)]
        stage_messages(conn, _messages(*values, first=number * 5))
        try:
            vault.run(mended, FOOD, caller("vault", f"run {number}"))
        except RefusedShareError as error:
            told.append((number, str(error)[:40]))
        is_open = any("of the newest" in text for text in status(mended).problems)
        # From the second wrong batch on 10 of the newest 50 are refused; of the right
        # ones after them it takes nine until fewer are.
        assert is_open == (11 <= number <= 27 or number >= 31)

    assert told == [
        (11, "10 of the newest 50 messages were refuse"),
        (31, "10 of the newest 50 messages were refuse"),
    ]
    assert len(_loaded(conn)) == 100
    assert _incidents(conn) == [(True,), (False,)]


def test_alarm_of_a_run_that_was_killed_comes_with_the_next_one(
    mended: Settings, conn: Connection
) -> None:
    stage_messages(conn, _messages(*[NOT_JSON] * 50))
    with pytest.raises(RefusedShareError):
        vault.run(mended, FOOD, caller("vault", "killed"))
    # As if it had died after its commit, before it looked.
    conn.execute("DELETE FROM ops.incidents")
    conn.execute("UPDATE ops.refused_judged SET last_batch_id = 0")

    with pytest.raises(RefusedShareError):
        vault.run(mended, FOOD, caller("vault", "next"))

    vault.run(mended, FOOD, caller("vault", "the one after"))


def test_wrong_batch_before_a_right_one_is_an_alarm(
    mended: Settings, conn: Connection
) -> None:
    stage_messages(conn, _messages(*[NOT_JSON] * 50))
    stage_messages(conn, _messages(*[_order(n) for n in range(50)], first=50))

    with pytest.raises(RefusedShareError, match=r"^50 of the newest 50"):
        vault.run(
            mended.model_copy(update={"palate_chunk_positions": 50}),
            FOOD,
            caller("vault"),
        )

    assert _incidents(conn) == [(True,)]


def test_replay_of_many_hopeless_messages_is_no_alarm(
    mended: Settings, conn: Connection
) -> None:
    stage_messages(conn, _messages(*[NOT_JSON] * 50))
    with pytest.raises(RefusedShareError):
        vault.run(mended, FOOD, caller("vault"))

    assert _replay(mended) == {"queued": 50}


class TestCommand:
    """``palate rejected``, as a person calls it."""

    def test_shows_what_came_and_trusts_none_of_it(
        self, mended: Settings, conn: Connection
    ) -> None:
        stage_messages(conn, _messages(b"\x1b]0;owned\x07", _order(1)))
        load(mended)

        shown = _call(mended, "show", TOPIC, "0", "0")

        assert shown.exit_code == 0
        assert r"\x1b]0;owned\x07" in shown.output
        assert "not_json" in shown.output
        assert "\x1b" not in shown.output

    def test_lists_for_a_program(self, mended: Settings, conn: Connection) -> None:
        stage_messages(conn, _messages(NOT_JSON, b"{}"))
        load(mended)

        found = json.loads(_call(mended, "list", "--json", "--limit", "1").output)

        assert found["counts"] == {"not_an_order": 1, "not_json": 1}
        assert [(m["offset"], m["reason"]) for m in found["messages"]] == [
            (0, "not_json")
        ]
        assert "2 refused" in _call(mended, "list").output

    def test_takes_positions_of_several_logs(
        self, mended: Settings, conn: Connection
    ) -> None:
        stage_messages(conn, _messages(NOT_JSON, NOT_JSON))
        stage_messages(conn, _messages(NOT_JSON, partition=1))
        load(mended)
        words = ["--positions", "orders/0/0: 1; orders/0/1: 0..5"]

        found = json.loads(_call(mended, "list", "--json", *words).output)
        assert [(m["partition"], m["offset"]) for m in found["messages"]] == [
            *[(0, 1), (1, 0)]
        ]
        assert _call(mended, "list", "--positions", "orders: 1").exit_code == 2
        assert _call(mended, "dismiss", "--why", "a test", *words).exit_code == 0
        assert refused.count(conn, EVERYTHING) == {"not_json": 1}

    def test_replays_and_tells_what_became_of_it(
        self, mended: Settings, mistaken: Settings, conn: Connection
    ) -> None:
        stage_messages(conn, _messages(_order(1), NOT_JSON))
        load(mistaken)

        done = _call(mended, "replay", "--all")

        assert done.exit_code == 0
        assert "Accepted now: 1. Refused: not_json 1." in done.output
        shown = _call(mended, "show", TOPIC, "0", "1").output
        assert re.search(r"replayed .* of shell: refused again", shown)
        assert _differences(mended) == 0

    @pytest.mark.parametrize("command", [["replay"], ["dismiss", "--why", "x"]])
    def test_does_nothing_to_everything_by_mistake(
        self, mended: Settings, command: Sequence[str]
    ) -> None:
        assert _call(mended, *command).exit_code == 2

    def test_dismisses_by_name(self, mended: Settings, conn: Connection) -> None:
        stage_messages(conn, _messages(NOT_JSON))
        load(mended)
        words = ["dismiss", "--reason", "not_json", "--by", "ada", "--why"]

        assert _call(mended, *words, " ").exit_code == 2
        assert _call(mended, *words, "a test").exit_code == 0
        assert _call(mended, *words, "a test").exit_code == 11


def _call(settings: Settings, *arguments: str) -> Any:
    environment = {
        "DWH_DSN": settings.dwh_dsn.get_secret_value(),
        "PALATE_TOPICS": json.dumps(settings.palate_topics),
        "COLUMNS": "200",
    }
    return CliRunner().invoke(app, ["rejected", *arguments], env=environment)


def _messages(*values: bytes, first: int = 0, partition: int = 0) -> list[Message]:
    return [
        Message(TOPIC, 0, partition, at, BROKER_DT + timedelta(seconds=at), value)
        for at, value in enumerate(values, start=first)
    ]


def _order(number: int, changes: dict[str, Any] | None = None) -> bytes:
    return example(Form.RAW, {"object_id": number} | (changes or {}))


def _incidents(conn: Connection) -> list[Any]:
    return conn.execute(
        "SELECT ended_dt IS NOT NULL FROM ops.incidents ORDER BY incident_id"
    ).fetchall()


def _replay(
    settings: Settings, selection: Selection = EVERYTHING, run_id: str = "replay"
) -> dict[str, int]:
    outcome = replays.run(settings, caller(FOOD.replays, run_id), selection)
    load(settings, run_id)
    return dict(outcome.counts)


def _loaded(conn: Connection) -> list[int]:
    rows = conn.execute("SELECT kafka_offset FROM dds.s_order_version ORDER BY 1")
    return [offset for (offset,) in rows]


def _differences(settings: Settings) -> int:
    return sum(compare.differences(settings, name)[0] for name in load_marts("food"))


def _pieces(conn: Connection) -> int:
    (number,) = conn.execute(
        "SELECT sum(pieces_cnt) FROM cdm.user_product_counters"
    ).fetchone() or (0,)
    return int(number or 0)


def _everything(conn: Connection) -> list[Any]:
    tables = ["stg.rejected_messages", "dds.s_order_version", "dds.s_order_item"]
    tables += ["dds.h_order", "cdm.user_product_counters"]
    return [
        conn.execute(f"SELECT t::text FROM {table} AS t ORDER BY 1").fetchall()
        for table in tables
    ]
