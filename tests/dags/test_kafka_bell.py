"""The bell as the triggerer runs it, on a real broker and a real ledger."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

import pytest
from airflow.triggers.base import TriggerEvent
from kafka import KafkaProducer
from psycopg import Connection

from palate.engine.outcome import Caller
from palate.landing import drain
from palate.settings import Settings
from palate_airflow.bell import KafkaBell
from tests.food import FOOD

SOON = 30

pytestmark = pytest.mark.usefixtures("connections")


@pytest.fixture
def topic(warehouse: Settings) -> str:
    return next(iter(warehouse.palate_topics))


@asynccontextmanager
async def _hung(
    topics: dict[str, object],
) -> AsyncIterator[AsyncIterator[TriggerEvent]]:
    """Hang up a bell; take it down at the end as the triggerer does."""
    async with aclosing(KafkaBell(list(topics)).run()) as rings:
        yield rings


async def _next(rings: AsyncIterator[TriggerEvent]) -> TriggerEvent:
    async with asyncio.timeout(SOON):
        return await anext(rings)


def test_rings_without_a_payload_for_each_message_that_comes_to_a_quiet_topic(
    warehouse: Settings, topic: str, producer: KafkaProducer
) -> None:
    async def scene() -> list[object]:
        payloads = []
        async with _hung(warehouse.palate_topics) as rings:
            for _ in range(2):
                producer.send(topic, b"connection test").get(10)
                payloads.append((await _next(rings)).payload)
                drain.run(warehouse, FOOD, Caller.in_shell("drain"))
        return payloads

    assert asyncio.run(scene()) == [None, None]


def test_looks_again_after_its_connection_was_cut(
    warehouse: Settings,
    topic: str,
    producer: KafkaProducer,
    connection: Connection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scene() -> None:
        async with _hung(warehouse.palate_topics) as rings:
            producer.send(topic, b"connection test").get(10)
            await _next(rings)
            drain.run(warehouse, FOOD, Caller.in_shell("drain"))
            ringing = asyncio.ensure_future(_next(rings))
            await asyncio.sleep(0)
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await _until(lambda: "The bell can't check" in caplog.text)
            producer.send(topic, b"connection test").get(10)
            await ringing

    with caplog.at_level(logging.WARNING, logger="palate_airflow.bell"):
        asyncio.run(scene())

    assert caplog.text.count("The bell can't check") == 1
    assert caplog.text.count("The bell works again") == 1


def test_topics_are_part_of_its_identity() -> None:
    assert KafkaBell(["a", "b"]).serialize() == (
        "kafka_bell.KafkaBell",
        {"topics": ["a", "b"]},
    )


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.05)
