"""Changes on real topics, by the command: their names begin with a setting."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from uuid import uuid4

import psycopg
import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from palate.names import SQL_FOLDER
from palate.settings import Settings
from tests.areas.flights.airline import FLIGHTS, Airline
from tests.areas.flights.changes import Record, Stream
from tests.integration.broker import Broker
from tests.warehouses import MakeWarehouse, environment_of


@pytest.fixture
def airline(make_warehouse: MakeWarehouse) -> Iterator[Airline]:
    values = {"palate_areas": "flights", "palate_topics": None}
    prefix = f"air_{uuid4().hex[:8]}"
    with (
        make_warehouse(**values, flights_topic_prefix=prefix) as settings,
        closing(KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)) as admin,
        psycopg.connect(settings.dwh_dsn.get_secret_value(), autocommit=True) as conn,
    ):
        (source,) = FLIGHTS.sources
        topics = [*source.topics_by(settings)]
        admin.create_topics(
            {name: {"num_partitions": 2, "replication_factor": 1} for name in topics},
            wait_for_metadata=True,
        )
        for topic in topics:  # all that is sent is old
            Broker(settings, admin).configure(topic, retention_ms="-1")
        yield Airline(settings, conn)
        admin.delete_topics(topics, raise_errors=False)


def test_changes_come_from_the_topics_of_a_prefix(
    airline: Airline, producer: KafkaProducer
) -> None:
    stream = Stream(prefix=airline.settings.flights_topic_prefix)
    for table in ("airports", "bookings", "tickets", "flights", "ticket_flights"):
        stream.add(table, "c", 100)
    stream.add("heartbeat", "u", 110)
    moved = {"ticket_no": "0005432000001", "flight_id": 2}
    stream.add("ticket_flights", "d", 120, renamed=moved)
    stream.add("ticket_flights", "c", 120, flight_id=2)
    stream.add("boarding_passes", "c", 130, partition=1)
    stream.add("boarding_passes", "t", 140)
    _send(producer, stream.records)

    assert _palate(airline.settings, "run").returncode == 0

    airline.assert_true(stream.changes)
    events = "SELECT topic, kafka_partition, kafka_key, message FROM stg.change_events"
    assert sorted(airline.rows(events), key=str) == sorted(
        ((r.topic, r.partition, r.key, r.value) for r in stream.records), key=str
    )
    assert airline.rows(
        "SELECT DISTINCT renamed_to FROM dds.s_ticket_flight WHERE op = 'd'"
    ) == [(moved,)]
    status = json.loads(_palate(airline.settings, "status", "--json").stdout)
    assert {log["lag"] for log in status["logs"]} == {0}


def test_rebuild_makes_the_same_again(
    airline: Airline, producer: KafkaProducer
) -> None:
    stream = Stream(prefix=airline.settings.flights_topic_prefix)
    for number, table in enumerate(
        ("airports", "bookings", "tickets", "flights", "ticket_flights")
    ):
        _send(producer, [stream.add(table, op, 100 + number).record() for op in "rcu"])
    assert _palate(airline.settings, "run").returncode == 0
    airline.assert_true(stream.changes)
    before = airline.checksum()
    airline.conn.execute("UPDATE dds.s_ticket SET passenger_name = 'wrong'")
    airline.conn.execute("DELETE FROM dds.l_ticket_flight")
    assert _palate(airline.settings, "reconcile").returncode != 0

    done = _palate(airline.settings, "rebuild", "vault", "--yes")
    assert done.returncode == 0, done.stderr
    assert airline.checksum() == before
    airline.assert_true(stream.changes)
    assert _palate(airline.settings, "reconcile").returncode == 0


def test_area_that_is_not_named_reads_no_topic(airline: Airline) -> None:
    settings = airline.settings.model_copy(update={"palate_areas": ""})
    status = json.loads(_palate(settings, "status", "--json").stdout)
    prefix = settings.flights_topic_prefix
    assert [t for t in status["logs"] if t["topic"].startswith(prefix)] == []


def _send(producer: KafkaProducer, records: Iterable[Record]) -> None:
    for one in records:
        producer.send(
            one.topic,
            one.value,
            key=one.key,
            headers=[(name, value or b"") for name, value in one.headers],
            partition=one.partition,
            timestamp_ms=int(one.broker_dt.timestamp() * 1000),
        )
    producer.flush()


def _palate(settings: Settings, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = environment_of(settings) | {
        "PALATE_AREAS": settings.palate_areas,
        "FLIGHTS_TOPIC_PREFIX": settings.flights_topic_prefix,
        "PYTHONPATH": str(SQL_FOLDER.parent / "include"),
    }
    del environment["PALATE_TOPICS"]
    return subprocess.run(
        [sys.executable, "-m", "palate", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
