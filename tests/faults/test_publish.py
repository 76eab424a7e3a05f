"""A publisher dies or finds nobody: what went out is right in the end."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import psycopg
import pytest

from deploy.local.stack import Stack
from palate.engine.outcome import Caller
from palate.publish import stage as publish
from palate.settings import Settings
from tests.faults import worker
from tests.faults.app import check_published
from tests.faults.conftest import MakeGround
from tests.faults.ground import Ground
from tests.faults.harm import kill, service, stopped
from tests.faults.points import Trip
from tests.faults.table import Results
from tests.faults.verdict import Verdict
from tests.integration.published import change_tags, messages

GUESTS = [f"g{number}" for number in range(6)]
TAGS = ("A", "Б", "🍕")
PUBLISH = {"stages": ("publish",)}
_NUMBERS = count(1)


@dataclass
class App:
    """Guests whose tags change without an order, and what the app gets to see."""

    ground: Ground

    def change(self, guests: int = 3) -> None:
        """Give some guests other tags."""
        random = self.ground.random
        held = {
            guest: random.sample(TAGS, random.randint(0, 3))
            for guest in random.sample(GUESTS, guests)
        }
        with self.ground.connect() as conn:
            change_tags(conn, held)

    def settle(self) -> None:
        """Publish by the engine as it is."""
        patient = self.ground.settings.model_copy(
            update={"palate_lock_wait": 30.0, "palate_kafka_timeout": 15.0}
        )
        worker.run_stage(patient, "publish", f"settle-{next(_NUMBERS)}")

    def verdict(self) -> Verdict:
        """Settle, and compare both outlets with what the guests hold."""
        self.settle()
        verdict = Verdict()
        with self.ground.connect() as conn:
            check_published(conn, self.ground.settings, verdict)
        return verdict


@pytest.fixture
def app(ground: Ground) -> App:
    """Give guests whose tags go to a topic of their own."""
    return App(ground)


def test_publisher_killed_between_database_and_broker(
    app: App, results: Results
) -> None:
    """Before and after each message, each write to Redis, and each mark of it."""
    app.change()
    app.settle()  # makes the topic
    app.change()
    reached = app.ground.points(**PUBLISH)
    chosen = [
        name
        for name in reached
        if name.split(": ")[1].startswith(("SEND", "REDIS", "BEGIN", "COMMIT"))
    ]
    assert len(chosen) >= 8

    killed = 0
    for number, name in enumerate(chosen):
        app.change()
        trip = Trip(name=name, inside=number % 2 == 0)
        killed += app.ground.run_killed(trip, **PUBLISH)

    assert killed >= 6
    results.add("kill -9 between database and broker", killed, app.verdict())


SENTENCES = {
    "redis": ("REDIS", "Redis (the tags of the app)"),
    "kafka": ("SEND", "has not taken what is to be published"),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_outlet_pauses_while_publishing(
    app: App, services: Stack, results: Results, name: str
) -> None:
    def pause() -> AbstractContextManager[None]:
        return stopped(service(services, name))

    _break_while_publishing(app, name, pause)

    results.add(f"{name} paused while publishing", 1, app.verdict())


@pytest.mark.slow
@pytest.mark.parametrize("name", SENTENCES)
def test_outlet_down_while_publishing(
    make_breakable_ground: MakeGround, breakable: Stack, results: Results, name: str
) -> None:
    """Redis is back without a key: the operator lets all tags go out again."""

    @contextmanager
    def down() -> Iterator[None]:
        kill(breakable, name)
        try:
            yield
        finally:
            breakable.up_services()

    with make_breakable_ground() as ground:
        app = App(ground)
        _break_while_publishing(app, name, down)
        if name == "redis":
            ground.publish_again()

        results.add(f"{name} down while publishing", 1, app.verdict())


@pytest.mark.parametrize("state", ["full", "a replica"])
def test_redis_takes_no_writes_while_publishing(
    app: App, results: Results, state: str
) -> None:
    """It runs, and refuses each write: what changed waits until it takes them again."""

    @contextmanager
    def refusing() -> Iterator[None]:
        with app.ground.redis() as client:
            if state == "full":
                client.config_set("maxmemory", 1)
            else:
                client.replicaof("127.0.0.1", "1")
            try:
                yield
            finally:
                client.config_set("maxmemory", 0)
                client.replicaof("NO", "ONE")

    _break_while_publishing(app, "redis", refusing)

    results.add(f"redis {state} while publishing", 1, app.verdict())


def _break_while_publishing(
    app: App, name: str, broken: Callable[[], AbstractContextManager[None]]
) -> None:
    """See that the publisher says so, and that the other outlet gets what is new."""
    place, sentence = SENTENCES[name]
    app.change()
    app.settle()
    app.change(len(GUESTS))
    with ExitStack() as until_the_end:
        code, job = app.ground.run_interrupted(
            Trip(text=place), lambda: until_the_end.enter_context(broken()), **PUBLISH
        )

    assert code == 1
    assert sentence in job.log.read_text()


EXCHANGE = ("palate_publish_orders_to", "palate_publish_counters_to")


@pytest.mark.parametrize(
    "kills",
    [6, pytest.param(1_000, marks=[pytest.mark.slow, pytest.mark.timeout(1_800)])],
    ids=["some", "all"],
)
def test_exchange_topics_are_right_after_kills(
    make_ground: MakeGround, results: Results, kills: int
) -> None:
    """The last message of each key is what a run without a fault would have sent."""
    topics = {name: f"{name}_{next(_NUMBERS)}_{id(make_ground)}" for name in EXCHANGE}
    before = worker.STAGES[:-1]
    with make_ground(**topics) as ground:
        for _ in range(2):
            ground.send_traffic(30)
            ground.run(stages=before)
            reached = ground.points(**PUBLISH)
        chosen = reached[:: max(len(reached) // kills, 1)]
        killed = 0
        for number, name in enumerate(chosen):
            ground.stir()
            ground.run(stages=before)
            trip = Trip(name=name, inside=number % 2 == 0)
            killed += ground.run_killed(trip, **PUBLISH)
        ground.settle()
        worker.run_stage(ground.settings, "publish", "last")

        anew = {name: f"{topic}_anew" for name, topic in topics.items()}
        settings = ground.settings.model_copy(update=anew)
        with ground.connect() as conn:
            conn.execute(
                "DELETE FROM ops.watermarks WHERE stage = %s", (publish.ORDERS,)
            )
            waits = _waits(conn)
        publish.again(settings, Caller("faults", "again", "publish"))
        worker.run_stage(settings, "publish", "anew")

        verdict = Verdict()
        for name in EXCHANGE:
            found = _last(ground.settings, topics[name])
            should = _last(settings, anew[name])
            if name == EXCHANGE[1]:  # who has no counters by now is not in a mart
                found = {k: v for k, v in found.items() if k in should or _counts(v)}
            else:  # whose newest version waits for a name may have an older one here
                held_up = {str(order_id) for order_id, _ in waits} - should.keys()
                found = {k: v for k, v in found.items() if k not in held_up}
                found, should = _without_names(found), _without_names(should)
            verdict.lost += len(should.keys() - found.keys())
            verdict.wrong += sum(found[key] != should.get(key) for key in found)
            verdict.notes += [
                f"{name}: {key}: {found.get(key)!r:.300}, not {should.get(key)!r:.300}"
                for key in found.keys() | should.keys()
                if found.get(key) != should.get(key)
            ]
        with ground.connect() as conn:
            verdict.wrong += _waits(conn) != waits
    assert killed > len(chosen) * 2 / 3
    assert _last(settings, anew[EXCHANGE[0]])
    places = "some points" if kills == 6 else "every point"
    results.add(f"kill -9 at {places} of publishing all outlets", killed, verdict)


def _last(settings: Settings, topic: str) -> dict[str, Any]:
    return {
        record.key.decode(): json.loads(record.value)
        for record in messages(settings, topic)
    }


def _without_names(sent: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Leave out what depends on when an order was published: names, categories."""
    found: dict[str, Any] = {}
    for key, value in sent.items():
        order = value["payload"]
        lines = [(p["id"], p["price"], p["quantity"]) for p in order.pop("products")]
        ids = order.pop("user")["id"], order.pop("restaurant")["id"]
        found[key] = (order, ids, lines)
    return found


def _counts(value: dict[str, Any]) -> bool:
    return bool(value["categories"] or value["products"])


def _waits(conn: psycopg.Connection) -> list[Any]:
    query = "SELECT order_id, missing_key FROM ops.order_waits ORDER BY 1, 2"
    return conn.execute(query).fetchall()
