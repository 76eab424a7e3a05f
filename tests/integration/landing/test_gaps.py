"""Offsets that retention took unread are noted, loud, and decided on by hand."""

import json
from typing import Any

import pytest
from psycopg import Connection
from typer.testing import CliRunner

from palate.cli.app import app
from palate.engine.outcome import Outcome
from palate.errors import NotFoundError, PositionGapError
from palate.landing import drain, gaps
from palate.landing.accept_gap import accept_gap
from palate.positions.ranges import FeedPartition
from palate.positions.watermark import watermarks
from palate.settings import Settings
from tests.food import FOOD
from tests.integration.broker import Broker
from tests.integration.staged import caller
from tests.warehouses import environment_of


@pytest.fixture
def gap(broker: Broker, connection: Connection) -> FeedPartition:
    """Lose the offsets 2 to 4 of the raw topic before they are read."""
    broker.send([b"0", b"1"])
    drain.run(broker.settings, FOOD, caller("drain", "before"))
    broker.send([b"2", b"3", b"4", b"5"])
    broker.delete_records(before=5)
    with pytest.raises(PositionGapError, match=r"accept-gap .* 0 --to 5 --reason"):
        drain.run(broker.settings, FOOD, caller("drain", "at the gap"))
    return FeedPartition(broker.raw, 0, 0)


def test_drain_records_the_gap_once_and_stops_at_it(
    gap: FeedPartition, broker: Broker, connection: Connection
) -> None:
    broker.delete_records(before=6)  # retention goes on
    with pytest.raises(PositionGapError):
        drain.run(broker.settings, FOOD, caller("drain", "again"))

    assert _gaps(connection) == [(gap, 2, 6, None, None)]
    assert watermarks(connection, FOOD.drain) == {gap: 2}


def test_accepted_gap_is_passed_and_stays_on_record(
    gap: FeedPartition, broker: Broker, connection: Connection
) -> None:
    outcome = _accept(broker.settings, gap, 5)

    assert outcome.ranges == {gap: (2, 5)}
    assert _gaps(connection) == [(gap, 2, 5, "ada", "no backup")]
    drain.run(broker.settings, FOOD, caller("drain", "after"))
    assert watermarks(connection, FOOD.drain) == {gap: 6}
    assert connection.execute(
        "SELECT kafka_offset FROM stg.order_events ORDER BY 1"
    ).fetchall() == [(0,), (1,), (5,)]


def test_part_of_a_gap_may_be_accepted(
    gap: FeedPartition, broker: Broker, connection: Connection
) -> None:
    _accept(broker.settings, gap, 3)

    with pytest.raises(PositionGapError, match="offsets 3 to 4 are gone"):
        drain.run(broker.settings, FOOD, caller("drain", "after"))

    assert _gaps(connection) == [
        (gap, 2, 3, "ada", "no backup"),
        (gap, 3, 5, None, None),
    ]


@pytest.mark.parametrize("end", [2, 6], ids=["backward", "over what is there"])
def test_only_what_is_gone_can_be_given_up(
    gap: FeedPartition, broker: Broker, connection: Connection, end: int
) -> None:
    with pytest.raises(NotFoundError, match="at least 3 and at most 5"):
        _accept(broker.settings, gap, end)

    assert watermarks(connection, FOOD.drain) == {gap: 2}
    assert _gaps(connection) == [(gap, 2, 5, None, None)]


def test_log_without_a_gap_is_left_alone(
    broker: Broker, connection: Connection
) -> None:
    broker.send([b"0", b"1"])
    log = FeedPartition(broker.raw, 0, 0)

    with pytest.raises(NotFoundError, match="has no gap"):
        _accept(broker.settings, log, 1)
    with pytest.raises(NotFoundError, match="has no partition 9"):
        _accept(broker.settings, FeedPartition(broker.raw, 0, 9), 1)

    assert watermarks(connection, FOOD.drain) == {}


def test_command_lists_and_accepts(gap: FeedPartition, broker: Broker) -> None:
    words = ["accept-gap", gap.topic, "0", "--to", "5", "--by", "ada", "--reason"]

    assert "open: the drain stops at it" in _call(broker, "list").output
    assert _call(broker, *words, "").exit_code == 2
    assert "3 offsets are given up" in _call(broker, *words, "no backup").output
    assert _call(broker, *words, "no backup").exit_code == 11
    found = json.loads(_call(broker, "list", "--json").output)
    assert found["positions"] == [
        {"topic": gap.topic, "epoch": 0, "partition": 0, "next_offsets": {"drain": 5}}
    ]
    assert [
        (one["topic"], one["start"], one["end"], one["accepted_by"])
        for one in found["gaps"]
    ] == [(gap.topic, 2, 5, "ada")]


def _accept(settings: Settings, log: FeedPartition, end: int) -> Outcome:
    return accept_gap(
        settings, caller("accept"), log.topic, log.partition, end, "ada", "no backup"
    )


def _gaps(conn: Connection) -> list[tuple[Any, ...]]:
    return [
        (gap.log, gap.start, gap.end, gap.accepted_by, gap.accepted_why)
        for gap in gaps.known(conn)
    ]


def _call(broker: Broker, *arguments: str) -> Any:
    environment = environment_of(broker.settings) | {"COLUMNS": "200"}
    return CliRunner().invoke(app, ["positions", *arguments], env=environment)
