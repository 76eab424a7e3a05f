"""A topic that another cluster has: never swallowed, and taken up again later.

The fault harness does it with two brokers; here the ledger says that there was another.
"""

import json
from typing import Any
from uuid import UUID

import pytest
from psycopg import Connection
from typer.testing import CliRunner

from palate.cli.app import app
from palate.clients.kafka_reader import open_reader
from palate.database import connect
from palate.engine.outcome import Outcome
from palate.errors import PositionGapError
from palate.incidents import Kind, open_incidents
from palate.landing import drain as staging
from palate.landing.epochs import known
from palate.positions.ranges import FeedPartition
from palate.positions.watermark import watermarks
from palate.reads.status import status
from tests.food import FOOD
from tests.integration.broker import Broker
from tests.integration.staged import caller

ELSEWHERE = "cluster-of-before"
OTHER_ID = UUID(int=7)


def come_from_elsewhere(broker: Broker, connection: Connection) -> None:
    """Let the raw topic have been read from another cluster so far."""
    connection.execute(
        "UPDATE ops.topics SET topic_id = %s, cluster_id = %s WHERE topic = %s",
        (OTHER_ID, ELSEWHERE, broker.raw),
    )


def test_other_cluster_is_refused_until_it_is_accepted(
    broker: Broker, connection: Connection
) -> None:
    broker.send([b"0", b"1"])
    drain(broker, "before")
    come_from_elsewhere(broker, connection)
    broker.send([b"2"])
    broker.send([b"0"], topic=broker.enriched)

    for run_id in ("first", "second"):
        with pytest.raises(PositionGapError) as error:
            drain(broker, run_id)
    here = broker.state().cluster_id
    assert f"on cluster {here}, and it was read from cluster {ELSEWHERE}" in str(
        error.value
    )
    assert error.value.exit_code == 5
    old, other = FeedPartition(broker.raw, 0, 0), FeedPartition(broker.enriched, 0, 0)
    assert watermarks(connection, "drain") == {old: 2, other: 1}
    assert [(i.kind, i.subject) for i in open_incidents(connection)] == [
        (Kind.CLUSTER, broker.raw)
    ]
    found = status(broker.settings)
    assert any("on another cluster" in problem for problem in found.problems)
    with connect(broker.settings) as conn:
        refused = known(conn, broker.state())
    assert (refused.logs, refused.refusal is None) == ({}, False)

    act = ["accept-cluster", broker.raw, "--by", "ada", "--reason"]
    assert call(broker, *act, "").exit_code == 2
    assert "Epoch 1" in call(broker, *act, "moved").output
    assert call(broker, *act, "moved").exit_code == 11
    drain(broker, "third")

    assert watermarks(connection, "drain") == {
        old: 2,
        FeedPartition(broker.raw, 1, 0): 3,
        other: 1,
    }
    assert open_incidents(connection) == []
    (decided,) = json.loads(call(broker, "list", "--json").output)["epochs"]
    assert (decided["epoch"], decided["cluster_id"]) == (1, here)
    assert (decided["accepted_by"], decided["accepted_why"]) == ("ada", "moved")


def test_known_topic_goes_on_in_its_own_epoch(
    broker: Broker, connection: Connection
) -> None:
    """Also where retention has dropped its last partition of STG meanwhile."""
    broker.send([b"0", b"1"])
    drain(broker, "before")
    connection.execute(
        "INSERT INTO ops.topics (topic, epoch, topic_id, cluster_id)"
        " VALUES (%s, 1, %s, %s)",
        (broker.raw, OTHER_ID, ELSEWHERE),
    )
    (number,) = connection.execute(
        "UPDATE ops.event_partitions SET dropped_dt = now(), dropped_by = 'x',"
        " dropped_bytes = 0 RETURNING event_partition_id"
    ).fetchone() or (0,)
    connection.execute(f"DROP TABLE stg.order_events_{number}")
    broker.send([b"2"])

    drain(broker, "after")

    assert watermarks(connection, "drain") == {FeedPartition(broker.raw, 0, 0): 3}
    assert connection.execute(
        "SELECT epoch, kafka_offset, message FROM stg.order_events"
    ).fetchall() == [(0, 2, b"2")]


def test_cluster_and_topic_that_were_not_noted_yet_are(
    broker: Broker, connection: Connection
) -> None:
    """As in a warehouse that is upgraded."""
    broker.send([b"0"])
    drain(broker, "before")
    connection.execute("UPDATE ops.topics SET topic_id = NULL, cluster_id = NULL")
    broker.send([b"1"])

    drain(broker, "after")

    state = broker.state()
    assert connection.execute(
        "SELECT epoch, topic_id, cluster_id FROM ops.topics WHERE topic = %s",
        (broker.raw,),
    ).fetchall() == [(0, state.topic_id, state.cluster_id)]
    assert watermarks(connection, "drain") == {FeedPartition(broker.raw, 0, 0): 2}


def test_topic_that_changed_while_its_cluster_was_not_noted_is_refused(
    broker: Broker, connection: Connection
) -> None:
    broker.send([b"0"])
    drain(broker, "before")
    connection.execute(
        "UPDATE ops.topics SET topic_id = %s, cluster_id = NULL", (OTHER_ID,)
    )

    with pytest.raises(PositionGapError, match="perhaps on another cluster"):
        drain(broker, "after")


def test_topic_that_is_read_is_not_accepted_again(broker: Broker) -> None:
    broker.send([b"0"])
    drain(broker, "before")

    found = call(broker, "accept-cluster", broker.raw, "--reason", "a try")

    assert found.exit_code == 11
    assert "is on the cluster that it was read from" in found.output


def test_looking_writes_nothing(broker: Broker, connection: Connection) -> None:
    broker.send([b"0"])
    with connect(broker.settings) as conn, open_reader(broker.settings) as reader:
        found = known(conn, reader.state(broker.raw))
    assert found.logs == {
        0: FeedPartition(broker.raw, 0, 0),
        1: FeedPartition(broker.raw, 0, 1),
    }
    assert connection.execute("SELECT * FROM ops.topics").fetchall() == []


def drain(broker: Broker, run_id: str) -> Outcome:
    return staging.run(broker.settings, FOOD, caller("drain", run_id))


def call(broker: Broker, *words: str) -> Any:
    environment = {
        "DWH_DSN": broker.settings.dwh_dsn.get_secret_value(),
        "KAFKA_BOOTSTRAP": broker.settings.kafka_bootstrap,
        "PALATE_TOPICS": json.dumps(broker.settings.palate_topics),
        "COLUMNS": "200",
    }
    return CliRunner().invoke(app, ["positions", *words], env=environment)
