"""A publisher dies, sleeps, or finds nobody: what went out is right in the end."""

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import psutil
import psycopg
import pytest

from deploy.local.stack import Stack
from palate import publish, tag_keys
from palate.settings import Settings
from palate.stage import Caller
from tests.faults import worker
from tests.faults.check import Verdict
from tests.faults.conftest import MakeGround
from tests.faults.ground import Ground, _wait
from tests.faults.points import Trip
from tests.faults.table import Results
from tests.integration.published import change_tags, messages

GUESTS = [f"g{number}" for number in range(6)]
TAGS = ("A", "Б", "🍕")
PUBLISH = {"stages": ("publish",)}
_NUMBERS = count(1)


@dataclass
class App:
    """The guests' tags as they are changed, and what the app gets to see."""

    ground: Ground
    held: dict[str, list[str]] = field(default_factory=dict)

    def change(self, guests: int = 3) -> None:
        """Give some guests other tags."""
        random = self.ground.random
        for guest in random.sample(GUESTS, guests):
            self.held[guest] = sorted(random.sample(TAGS, random.randint(0, 3)))
        with self.ground.connect() as conn:
            change_tags(conn, {guest: self.held[guest] for guest in self.held})

    def marks(self) -> list[Any]:
        """Return how far each outlet is."""
        with self.ground.connect() as conn:
            return conn.execute(
                "SELECT stage, next_offset FROM ops.watermarks ORDER BY stage"
            ).fetchall()

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
        states: dict[str, dict[int, Any]] = {}
        last: dict[str, int] = {}
        for record in messages(
            self.ground.settings, self.ground.settings.palate_tags_topic
        ):
            state = json.loads(record.value)
            guest, version = state["user_id"], state["version"]
            known = states.setdefault(guest, {})
            if known.setdefault(version, state) != state:
                verdict.doubled += 1
                verdict.notes.append(f"two states of one version: {state}")
            if version < last.get(guest, 0):
                verdict.wrong += 1
                verdict.notes.append(f"an older state of {guest} came after a newer")
            last[guest] = version
        with self.ground.redis() as client:
            for guest, tags in self.held.items():
                value = client.get(tag_keys.tags_key(guest))
                found = None if value is None else json.loads(value)
                if found != (tags or None):
                    verdict.wrong += 1
                    verdict.notes.append(f"Redis: {guest} has {found}, not {tags}")
                newest = states.get(guest, {}).get(last.get(guest, 0), {"tags": None})
                sent = newest["tags"] and [one["tag"] for one in newest["tags"]]
                if sent != tags:
                    verdict.lost += 1
                    verdict.notes.append(f"Kafka: {guest} has {sent}, not {tags}")
        return verdict


@pytest.fixture
def app(make_ground: MakeGround) -> Iterator[App]:
    """Give guests whose tags go to a topic of their own."""
    with make_ground(palate_tags_topic=f"tags_{id(make_ground)}_{next(_NUMBERS)}") as g:
        yield App(g)


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


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("inside", [False, True], ids=["before", "inside"])
def test_publisher_killed_at_every_point(
    app: App, results: Results, inside: bool
) -> None:
    app.change()
    app.settle()
    app.change()
    killed = 0
    for name in app.ground.points(**PUBLISH):
        app.change()
        killed += app.ground.run_killed(Trip(name=name, inside=inside), **PUBLISH)

    place = "inside" if inside else "before"
    results.add(f"kill -9 {place} every point of publish", killed, app.verdict())


@pytest.mark.parametrize("place", ["SEND", "REDIS"])
def test_publisher_that_slept_does_no_harm(
    app: App, results: Results, place: str
) -> None:
    """Its session, and with it its lock, has gone; others have published since."""
    app.change()
    app.settle()
    app.change(len(GUESTS))
    short = {"idle_session_timeout": "3s", "idle_in_transaction_session_timeout": "3s"}

    def act() -> None:
        app.change(len(GUESTS))
        app.ground.run(**PUBLISH)
        app.settle()

    code, sleeper = app.ground.run_interrupted(
        Trip(text=place), act, session=short, **PUBLISH
    )

    assert code == 1, sleeper.log.read_text()
    results.add(f"SIGSTOP before {place}, another run, SIGCONT", 1, app.verdict())


def test_publishers_killed_at_random(app: App, results: Results) -> None:
    kills = 6
    alive = [app.ground.start(passes=worker.ENDLESS, **PUBLISH)[0] for _ in range(2)]
    for number in range(kills):
        before = app.marks()
        app.change()
        _wait(lambda before=before: app.marks() != before)
        app.change()
        alive[number % 2].kill()
        alive[number % 2].join(10)
        alive[number % 2] = app.ground.start(passes=worker.ENDLESS, **PUBLISH)[0]
    app.ground.kill_workers()

    results.add("kill -9 at random, two publishers", kills, app.verdict())


@pytest.mark.parametrize(
    ("service", "place", "sentence"),
    [
        ("redis", "REDIS", "Redis (the tags of the app)"),
        ("kafka", "SEND", "has not taken what is to be published"),
    ],
)
def test_outlet_down_while_publishing(
    app: App,
    services: Stack,
    results: Results,
    service: str,
    place: str,
    sentence: str,
) -> None:
    """The other one gets what is new; this one gets it once it answers."""
    app.change()
    app.settle()
    app.change(len(GUESTS))
    with ExitStack() as until_the_end:
        code, job = app.ground.run_interrupted(
            Trip(text=place),
            lambda: until_the_end.enter_context(_paused(services, service)),
            **PUBLISH,
        )

    assert code == 1
    assert sentence in job.log.read_text()
    results.add(f"{service} down while publishing", 1, app.verdict())


@contextmanager
def _paused(stack: Stack, service: str) -> Iterator[None]:
    (pid,) = [one.pid for one in stack.states() if one.name == service]
    paused = psutil.Process(pid)
    paused.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        paused.send_signal(signal.SIGCONT)


EXCHANGE = ("palate_publish_orders_to", "palate_publish_counters_to")


def test_exchange_topics_are_right_after_kills(
    make_ground: MakeGround, results: Results
) -> None:
    """The last message of each key is what a run without a fault would have sent."""
    topics = {name: f"{name}_{next(_NUMBERS)}_{id(make_ground)}" for name in EXCHANGE}
    before = tuple(stage for stage in (*worker.STAGES, "tags") if stage != "publish")
    with make_ground(**topics) as ground:
        ground.send_traffic(30)
        ground.settle()
        reached = ground.points(**PUBLISH)
        chosen = reached[:: max(len(reached) // 6, 1)]
        killed = 0
        for number, name in enumerate(chosen):
            ground.send_traffic(6)
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
    assert killed >= 4
    assert _last(settings, anew[EXCHANGE[0]])
    results.add("kill -9 while orders and counters go out", killed, verdict)


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
