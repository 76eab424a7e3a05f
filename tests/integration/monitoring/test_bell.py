"""When a run should start, on a real broker and a real ledger."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from kafka import KafkaProducer
from psycopg import Connection

from palate.engine.outcome import Caller
from palate.engine.stage import open_run
from palate.landing import dictionaries, drain
from palate.monitoring import bell
from palate.monitoring.bell import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    RingPolicy,
    WaitingMessages,
)
from palate.settings import Settings
from tests.food import FOOD
from tests.integration.broker import Broker

Send = Callable[..., None]
ME = Caller.in_shell("drain")


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(bell, "time", clock)
    return clock


@pytest.fixture
def watch(warehouse: Settings, clock: Clock) -> Iterator[WaitingMessages]:
    with WaitingMessages(warehouse, warehouse.palate_topics) as found:
        yield found


@pytest.fixture
def send(warehouse: Settings, producer: KafkaProducer) -> Callable[..., None]:
    topic = next(iter(warehouse.palate_topics))

    def send_one(partition: int = 0) -> None:
        producer.send(topic, b"connection test", partition=partition).get(10)

    return send_one


def test_nothing_waits_nothing_rings(watch: WaitingMessages) -> None:
    assert not watch.should_ring()


def test_rings_once_for_what_waits_and_again_for_what_comes_later(
    watch: WaitingMessages, warehouse: Settings, send: Send
) -> None:
    send()
    assert watch.should_ring()
    send()  # the run that was rung for takes it too
    assert not watch.should_ring()
    drain.run(warehouse, FOOD, ME)
    assert not watch.should_ring()
    send()
    _rings_soon(watch)


@pytest.mark.parametrize("stage", ["drain", "vault"])
def test_a_run_that_is_at_it_needs_no_ring(
    watch: WaitingMessages, warehouse: Settings, send: Send, stage: str
) -> None:
    with open_run(warehouse, stage, ME):
        send()
        assert not watch.should_ring()
    _rings_soon(watch)


def test_rings_at_once_for_what_a_drain_left(
    watch: WaitingMessages, warehouse: Settings, send: Send
) -> None:
    send(partition=0)
    send(partition=1)
    assert watch.should_ring()
    drain.run(warehouse, FOOD, ME, drain.Limits(partitions=(0,)))
    _rings_soon(watch)


def test_looks_at_the_ledger_again_though_the_broker_has_nothing_new(
    watch: WaitingMessages,
    warehouse: Settings,
    clock: Clock,
    connection: Connection,
    send: Send,
) -> None:
    send()
    drain.run(warehouse, FOOD, ME)
    assert not watch.should_ring()
    connection.execute("DELETE FROM ops.watermarks WHERE stage = 'drain'")
    clock.seconds += 5
    assert watch.should_ring()


def test_rings_again_with_growing_pauses_while_nobody_comes(
    watch: WaitingMessages, clock: Clock, send: Send
) -> None:
    send()
    assert watch.should_ring()
    for pause in (FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE):
        clock.seconds += pause - 1
        assert not watch.should_ring()
        clock.seconds += 1
        assert watch.should_ring()


@pytest.mark.parametrize("partition", [0, 1])
def test_a_message_ends_the_wait_for_one(
    watch: WaitingMessages, send: Send, monkeypatch: pytest.MonkeyPatch, partition: int
) -> None:
    monkeypatch.setattr(bell, "_LONGEST_WAIT", 86_400.0)
    assert not watch.should_ring()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(watch.wait)
        assert not waiting.done()
        send(partition=partition)
        waiting.result(timeout=60)
    assert watch.should_ring()


def test_a_topic_made_anew_does_not_end_the_waiting(
    broker: Broker, clock: Clock
) -> None:
    broker.send([b"connection test"] * 3)
    drain.run(broker.settings, FOOD, ME)
    with WaitingMessages(broker.settings, [broker.raw]) as watch:
        assert not watch.should_ring()
        broker.make_anew()
        broker.send([b"connection test"])
        deadline = time.monotonic() + 60
        while not watch.should_ring():
            assert time.monotonic() < deadline
            watch.wait()
            clock.seconds += 1


def test_entries_that_stay_due_ring(
    watch: WaitingMessages, clock: Clock, connection: Connection
) -> None:
    connection.execute(
        "INSERT INTO ops.dictionary_lookups VALUES"
        " ('626a81ce9a8cd1920641e296', now(), 0, now(), now(), 'not asked yet')"
    )
    assert dictionaries.is_due(connection)
    assert not watch.should_ring()  # a run may be at it right now
    clock.seconds += 5
    assert watch.should_ring()
    clock.seconds += 5
    assert not watch.should_ring()


def _rings_soon(watch: WaitingMessages) -> None:
    """Wait for a ring: the server lets go of a run's lock in its own time."""
    deadline = time.monotonic() + 30
    while not watch.should_ring():
        assert time.monotonic() < deadline


def test_pauses_end_at_the_longest() -> None:
    ringing, now = RingPolicy(), 0.0
    rings = []
    while now < 3_000:
        if ringing.should_ring(True, "the same", now):
            rings.append(now)
        now += 1
    pauses = [after - before for before, after in pairwise(rings)]
    assert pauses[:6] == [15, 30, 60, 120, 240, LONGEST_PAUSE]
    assert set(pauses[5:]) == {LONGEST_PAUSE}
