"""What the broker has and nobody can parse: staged if it has bytes, else one stands."""

import json

import pytest
from click.testing import Result
from psycopg import Connection
from typer.testing import CliRunner

from deploy.local.stack import Stack
from palate.cli.app import app
from palate.engine.outcome import Caller, Outcome
from palate.errors import UnreadableRecordError
from palate.incidents import open_incidents
from palate.landing import drain as staging
from palate.positions.ranges import FeedPartition
from palate.positions.watermark import watermarks
from palate.settings import Settings
from tests.food import FOOD
from tests.integration.broker import Broker, RawName, change_on_disk
from tests.warehouses import environment_of


def drain(settings: Settings, run_id: str) -> Outcome:
    return staging.run(settings, FOOD, Caller("test", run_id, "drain"))


def staged(connection: Connection) -> list[tuple]:
    return connection.execute(
        "SELECT kafka_partition, kafka_offset, message FROM stg.order_events"
        " ORDER BY topic, kafka_partition, kafka_offset"
    ).fetchall()


@pytest.fixture
def corrupt(broker: Broker, services: Stack) -> None:
    """Let offset 1 of partition 0 have a byte that its producer didn't send."""
    for value in (b"zero", b"to be changed", b"two"):
        broker.send([value])
    broker.send([b"other"], partition=1)
    change_on_disk(services.var, broker.raw, 0, b"to be changed", b"to be broken!")
    return


def test_header_name_that_is_no_text_is_staged(
    broker: Broker, connection: Connection
) -> None:
    broker.send([b"odd"], headers=[(RawName(b"trace\xff\xfe"), b"1"), ("b", b"2")])
    broker.send([b"own"], headers=[("a\0b", b""), ("palate-origin", b"")])

    drain(broker.settings, "run")

    rows = connection.execute(
        "SELECT convert_from(headers, 'UTF8'),"
        " stg.has_header(headers, 'palate-origin'), stg.has_header(headers, 'b')"
        " FROM stg.order_events ORDER BY kafka_offset"
    ).fetchall()
    assert [(json.loads(packed), *has) for packed, *has in rows] == [
        ([["trace\ufffd\ufffd", "MQ==", "dHJhY2X//g=="], ["b", "Mg=="]], False, True),
        ([["a\ufffdb", "", "YQBi"], ["palate-origin", ""]], True, False),
    ]


@pytest.mark.usefixtures("corrupt")
def test_changed_byte_stops_its_partition_only(
    broker: Broker, connection: Connection
) -> None:
    for run_id in ("first", "second"):
        with pytest.raises(UnreadableRecordError) as raised:
            drain(broker.settings, run_id)
        assert raised.value.exit_code == 20
        assert f"{broker.raw}[0]: offset 1 can't be read: the checksum" in str(
            raised.value
        )
    broker.send([b"later"], partition=1)
    with pytest.raises(UnreadableRecordError):
        drain(broker.settings, "third")

    assert staged(connection) == [(0, 0, b"zero"), (1, 0, b"other"), (1, 1, b"later")]
    marks = watermarks(connection, FOOD.drain)
    assert marks == {
        FeedPartition(broker.raw, 0, 0): 1,
        FeedPartition(broker.raw, 0, 1): 2,
    }
    incidents = connection.execute(
        "SELECT kind, subject, ended_dt FROM ops.incidents"
    ).fetchall()
    assert incidents == [("unreadable", f"{broker.raw}[0]", None)]


@pytest.mark.usefixtures("corrupt")
def test_mended_bytes_are_read_and_the_incident_ends(
    broker: Broker, connection: Connection, services: Stack
) -> None:
    with pytest.raises(UnreadableRecordError):
        drain(broker.settings, "broken")
    change_on_disk(services.var, broker.raw, 0, b"to be broken!", b"to be changed")

    drain(broker.settings, "mended")

    assert [row[2] for row in staged(connection)] == [
        b"zero",
        b"to be changed",
        b"two",
        b"other",
    ]
    open_ones = connection.execute(
        "SELECT count(*) FROM ops.incidents WHERE ended_dt IS NULL"
    ).fetchone()
    assert open_ones == (0,)


@pytest.mark.usefixtures("corrupt")
def test_batch_that_nobody_can_read_is_passed_over_by_a_person(
    broker: Broker, connection: Connection
) -> None:
    with pytest.raises(UnreadableRecordError, match="--to 2 --reason"):
        drain(broker.settings, "broken")

    for end in (1, 3):
        refused = accept(broker, end)
        assert refused.exit_code == 11
        assert "--to must be 2: the checksum (CRC)" in " ".join(refused.stderr.split())
    assert accept(broker, 2).exit_code == 0
    assert accept(broker, 3).exit_code == 11
    drain(broker.settings, "after")
    broker.send([b"three"])
    drain(broker.settings, "later")

    assert [row[2] for row in staged(connection)] == [
        b"zero",
        b"two",
        b"three",
        b"other",
    ]
    gaps = connection.execute(
        "SELECT kafka_partition, from_offset, to_offset, accepted_by, accepted_why"
        " FROM ops.position_gaps"
    ).fetchall()
    assert gaps == [(0, 1, 2, "ada", "a bad disk")]
    assert open_incidents(connection) == []


def accept(broker: Broker, end: int) -> Result:
    words = ["positions", "accept-gap", broker.raw, "0", "--to", str(end)]
    return CliRunner().invoke(
        app,
        [*words, "--by", "ada", "--reason", "a bad disk"],
        env=environment_of(broker.settings),
    )
