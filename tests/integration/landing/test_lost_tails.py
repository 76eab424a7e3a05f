"""A log that is no longer the one that was read: nothing of it is skipped.

What the broker lost is put into the warehouse here, as if it had been read before. The
fault harness lets a real broker lose it.
"""

import json
from itertools import count
from typing import Any

import pytest
from psycopg import Connection
from typer.testing import CliRunner

from palate.cli.app import app
from palate.engine.outcome import Outcome
from palate.errors import PositionGapError
from palate.incidents import Kind, open_incidents
from palate.landing import drain as staging
from palate.positions.ranges import FeedPartition
from palate.positions.watermark import watermarks
from tests.food import FOOD
from tests.integration.broker import Broker
from tests.integration.staged import caller
from tests.warehouses import environment_of

_NUMBERS = count()
NEW = [b"new %d" % number for number in range(5)]


def lose_tail(
    connection: Connection, log: FeedPartition, start: int, watermark: int
) -> None:
    """Let the offsets from ``start`` up to ``watermark`` have been other messages."""
    values = (log.topic, log.epoch, log.partition)
    connection.execute(
        "DELETE FROM stg.order_events WHERE kafka_offset >= %s", (start,)
    )
    for offset in range(start, watermark):
        connection.execute(
            "INSERT INTO stg.order_events (topic, epoch, kafka_partition, kafka_offset,"
            " broker_dt, message, staged_dt) VALUES (%s, %s, %s, %s, now(), %s, now())",
            (*values, offset, b"old %d" % offset),
        )
    connection.execute(
        "UPDATE ops.watermarks SET next_offset = %s WHERE topic = %s",
        (watermark, values[0]),
    )
    # As a warehouse has it that is new to this.
    connection.execute("DELETE FROM ops.logs WHERE topic = %s", (values[0],))


@pytest.mark.parametrize(
    ("watermark", "number"),
    [(6, 0), (6, 1), (6, 3), (6, 5), (200, 150), (200, 197), (200, 250), (3000, 3100)],
    ids=[
        "nothing came", "below", "at", "beyond", "many below", "many at",
        "many beyond", "thousands",
    ],
)  # fmt: skip
def test_lost_tail_is_loud_then_taken_in(
    broker: Broker, connection: Connection, watermark: int, number: int
) -> None:
    log, other = FeedPartition(broker.raw, 0, 0), FeedPartition(broker.raw, 0, 1)
    broker.send([b"0", b"1", b"2"])
    drain(broker)
    new = [b"new %d" % one for one in range(number)]
    broker.send(new)
    broker.send([b"of another partition"], partition=1)
    lose_tail(connection, log, 3, watermark)

    for _ in range(2):
        with pytest.raises(PositionGapError) as error:
            drain(broker)
    message = str(error.value)
    assert f"{log}: the broker has lost the log from offset 3 on" in message
    assert f"of which {watermark - 1} was the last one read" in message
    assert f"ends at offset {3 + number}" in message
    assert "accept-lost-tail" in message
    assert watermarks(connection, "drain") == {log: watermark, other: 1}
    assert [(i.kind, i.subject) for i in open_incidents(connection)] == [
        (Kind.GAP, str(log))
    ]

    words = ["accept-lost-tail", log.topic, "0", "--by", "ada", "--reason"]
    assert call(broker, *words, "").exit_code == 2
    assert "epoch 1 begins at offset 3" in call(broker, *words, "a crash").output
    assert call(broker, *words, "a crash").exit_code == 11
    assert open_incidents(connection) == []
    broker.send([b"later"])
    drain(broker)

    anew = FeedPartition(log.topic, 1, 0)
    marks = watermarks(connection, "drain")
    assert marks == {log: watermark, anew: 4 + number, other: 1}
    assert staged(connection, anew) == [*enumerate([*new, b"later"], 3)]
    assert len(staged(connection, log)) == watermark
    assert drain(broker).batches == 0
    found = json.loads(call(broker, "list", "--json").output)["epochs"]
    assert [
        (one["epoch"], one["partition"], one["first_offset"], one["accepted_by"])
        for one in found
    ] == [(1, 0, 3, "ada")]


def test_tail_lost_twice(broker: Broker, connection: Connection) -> None:
    """The second time from further below: the first new epoch has none of it left."""
    broker.send([b"0", b"1", b"2"])
    drain(broker)
    broker.send(NEW)
    lose_tail(connection, FeedPartition(broker.raw, 0, 0), 3, 9)
    accept(broker)
    drain(broker)
    first = FeedPartition(broker.raw, 1, 0)
    connection.execute("UPDATE stg.order_events SET message = 'other' WHERE epoch = 1")
    connection.execute("UPDATE ops.logs SET last_digest = '' WHERE epoch = 1")

    with pytest.raises(PositionGapError, match=r"epoch 1: .* from offset 3 on"):
        drain(broker)
    accept(broker)
    drain(broker)

    assert staged(connection, FeedPartition(broker.raw, 2, 0)) == [*enumerate(NEW, 3)]
    assert len(staged(connection, first)) == 5


def test_record_where_none_was_before_is_seen(
    broker: Broker, connection: Connection
) -> None:
    """What stood there was a transaction's marker: no row of STG differs."""
    broker.send([b"0", b"1", b"2", b"3"])
    drain(broker)
    log = FeedPartition(broker.raw, 0, 0)
    connection.execute("DELETE FROM stg.order_events WHERE kafka_offset >= 2")
    connection.execute("DELETE FROM ops.logs")

    with pytest.raises(PositionGapError, match="lost the log from offset 2 on"):
        drain(broker)
    accept(broker)
    drain(broker)

    anew = FeedPartition(broker.raw, 1, 0)
    assert staged(connection, log) == [(0, b"0"), (1, b"1")]
    assert staged(connection, anew) == [(2, b"2"), (3, b"3")]


def test_retention_that_passed_the_tail_is_no_alarm(
    broker: Broker, connection: Connection
) -> None:
    broker.send([b"0", b"1", b"2"])
    drain(broker)
    broker.delete_records(before=3)
    assert drain(broker).batches == 0
    broker.send([b"3"])

    assert drain(broker).counts == {"messages": 1}


def test_row_of_staging_that_is_lost_or_changed_is_no_alarm(
    broker: Broker, connection: Connection
) -> None:
    """The last record proves the log by what was kept of it, not by STG."""
    broker.send([b"0", b"1", b"2"])
    drain(broker)
    connection.execute("UPDATE stg.order_events SET message = 'x'")
    broker.send([b"3"])

    assert drain(broker).counts == {"messages": 1}


def test_log_that_lost_nothing_is_left_alone(
    broker: Broker, connection: Connection
) -> None:
    broker.send([b"0"])
    drain(broker)

    words = ["accept-lost-tail", broker.raw, "0", "--reason", "a try"]
    found = call(broker, *words)
    assert found.exit_code == 11
    assert "has not lost its tail" in found.output
    assert watermarks(connection, "drain") == {FeedPartition(broker.raw, 0, 0): 1}


def test_reload_reads_each_offset_in_its_own_epoch(
    broker: Broker, connection: Connection
) -> None:
    """Below the loss the old rows are healed, above it nothing differs for ever."""
    broker.send([b"0", b"1", b"2"])
    drain(broker)
    broker.send(NEW)
    lose_tail(connection, FeedPartition(broker.raw, 0, 0), 3, 9)
    accept(broker)
    drain(broker)
    connection.execute(
        "DELETE FROM stg.order_events WHERE epoch = 0 AND kafka_offset = 1"
        " OR epoch = 1 AND kafka_offset = 6"
    )

    words = ["--from", "2023-01-01", "--to", "2100-01-01", "--json"]
    found = CliRunner().invoke(app, ["reload", *words], env=environment(broker))

    assert found.exit_code == 0, found.output
    layer = json.loads(found.output)["layers"]["messages"]
    assert (layer["compared"], layer["healed"], layer["differing"]) == (8, 2, 0)
    assert staged(connection, FeedPartition(broker.raw, 0, 0))[:3] == [
        (0, b"0"), (1, b"1"), (2, b"2")
    ]  # fmt: skip
    assert staged(connection, FeedPartition(broker.raw, 1, 0)) == [*enumerate(NEW, 3)]


def test_reload_before_the_decision_names_the_page(
    broker: Broker, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    broker.send([b"0", b"1", b"2"])
    drain(broker)
    broker.send(NEW)
    lose_tail(connection, FeedPartition(broker.raw, 0, 0), 3, 9)

    words = ["--from", "2023-01-01", "--to", "2100-01-01"]
    found = CliRunner().invoke(app, ["reload", *words], env=environment(broker))

    assert found.exit_code == 14
    assert "'Messages differ from the broker'" in found.output


def test_new_partition_that_lost_its_beginning_is_a_gap(
    broker: Broker, connection: Connection
) -> None:
    broker.send([b"0"])
    drain(broker)
    broker.add_partitions(4)
    broker.send([b"0", b"1", b"2"], partition=3)
    broker.delete_records(before=2, partition=3)

    new = FeedPartition(broker.raw, 0, 3)
    with pytest.raises(PositionGapError) as error:
        drain(broker)
    assert f"{new}: offsets 0 to 1 are gone" in str(error.value)
    words = ["accept-gap", broker.raw, "3", "--to", "2", "--reason", "too late"]
    assert call(broker, *words).exit_code == 0
    drain(broker)

    assert watermarks(connection, "drain")[new] == 3
    assert staged(connection, new) == [(2, b"2")]


def test_partition_that_was_empty_at_the_first_look_loses_nothing_unseen(
    broker: Broker, connection: Connection
) -> None:
    """One had expired messages then, the other one none: both are known from then."""
    broker.send([b"0", b"1"])
    broker.delete_records(before=2)
    drain(broker)
    for partition in (0, 1):
        broker.send([b"2", b"3"], partition=partition)
    broker.delete_records(before=3)
    broker.delete_records(before=1, partition=1)

    with pytest.raises(PositionGapError) as error:
        drain(broker)

    assert f"{broker.raw}[0]: offsets 2 to 2 are gone" in str(error.value)
    assert f"{broker.raw}[1]: offsets 0 to 0 are gone" in str(error.value)
    assert watermarks(connection, "drain") == {}


def test_topic_made_anew_that_lost_its_beginning_is_a_gap(
    broker: Broker, connection: Connection
) -> None:
    broker.send([b"0"])
    drain(broker)
    broker.make_anew()
    broker.send([b"0", b"1", b"2"])
    broker.delete_records(before=2)

    with pytest.raises(PositionGapError, match="epoch 1: offsets 0 to 1 are gone"):
        drain(broker)


def test_gap_of_a_topic_that_was_made_anew_is_over(
    broker: Broker, connection: Connection
) -> None:
    broker.send([b"0"])
    drain(broker)
    broker.send([b"1", b"2"])
    broker.delete_records(before=2)
    with pytest.raises(PositionGapError):
        drain(broker)
    broker.make_anew()

    drain(broker)

    assert open_incidents(connection) == []


def test_missing_topic_holds_up_no_other_one(
    broker: Broker, connection: Connection
) -> None:
    broker.send([b"0"])
    topics = {"no-such-topic": "raw", **broker.settings.palate_topics}
    settings = broker.settings.model_copy(update={"palate_topics": topics})

    with pytest.raises(Exception, match="no topic no-such-topic") as error:
        staging.run(settings, FOOD, caller("drain"))

    assert getattr(error.value, "exit_code", None) == 4
    assert watermarks(connection, "drain") == {FeedPartition(broker.raw, 0, 0): 1}


def drain(broker: Broker) -> Outcome:
    return staging.run(broker.settings, FOOD, caller("drain", f"run {next(_NUMBERS)}"))


def accept(broker: Broker) -> None:
    found = call(broker, "accept-lost-tail", broker.raw, "0", "--reason", "a crash")
    assert found.exit_code == 0, found.output


def staged(connection: Connection, log: FeedPartition) -> list[tuple[int, bytes]]:
    return connection.execute(
        "SELECT kafka_offset, message FROM stg.order_events WHERE topic = %s"
        " AND epoch = %s AND kafka_partition = %s ORDER BY kafka_offset",
        (log.topic, log.epoch, log.partition),
    ).fetchall()


def environment(broker: Broker) -> dict[str, str]:
    return environment_of(broker.settings) | {"COLUMNS": "200"}


def call(broker: Broker, *words: str) -> Any:
    return CliRunner().invoke(app, ["positions", *words], env=environment(broker))
