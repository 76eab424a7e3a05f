"""What is accepted, to the letter: the whole corpus through the real parse."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from palate.engine.stage import open_run
from palate.names import HUB_KEY_NAMESPACE, ORIGIN_HEADER, SQL_FOLDER
from palate.positions.batch_ranges import make_ranges
from palate.positions.ranges import FeedPartition, Range
from palate.settings import Settings
from palate.sources import catalog
from palate.sources.shape import Shape, load_shapes
from palate.sql import execute
from palate.vault import load, parse
from tests.corpus.case import BROKER_DT, Case, example
from tests.corpus.poison import CASES
from tests.food import FOOD
from tests.integration.staged import caller, stage_messages, with_topics
from tests.model.history import Form, Message
from tests.warehouses import MakeWarehouse

NEIGHBOURS = {
    Form.RAW: example(Form.RAW, {"object_id": 7}),
    Form.ENRICHED: example(Form.ENRICHED, {"object_id": 7, "payload.id": 7}),
}
(_ORDERS,) = (source for source in FOOD.sources if source.name == "orders")
PARAMETERS = {
    "load_dt": BROKER_DT,
    "namespace": HUB_KEY_NAMESPACE,
    "origin_header": ORIGIN_HEADER,
}
# Which place a case has among its messages, and how many those are.
PLACES = {"alone": (0, 1), "first": (0, 3), "middle": (1, 3), "last": (2, 3)}
SHAPES = {
    shape.form: shape
    for shape in load_shapes(SQL_FOLDER / "areas/food/sources/orders/shape.yaml")
}


@pytest.fixture(scope="module")
def settings(make_warehouse: MakeWarehouse) -> Iterator[Settings]:
    """Stage every case in every place, each case in offsets of its own."""
    forms = {_topic(place, form): form for place in PLACES for form in Form}
    with make_warehouse(palate_vault_lanes=1) as found, _connect(found) as conn:
        stage_messages(
            conn,
            [
                message
                for place in PLACES
                for number, case in enumerate(CASES)
                for message in _messages(place, number, case)
            ],
        )
        yield with_topics(found, forms)


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_odd_message_costs_its_neighbours_nothing(
    settings: Settings, place: str
) -> None:
    end = len(CASES) * PLACES[place][1]
    ranges = [Range(FeedPartition(_topic(place, form), 0, 0), 0, end) for form in Form]
    with (
        open_run(settings, FOOD.vault, caller(place)) as attempt,
        attempt.batch(ranges) as batch,
    ):
        load.load(attempt.conn, settings, FOOD, batch)

    assert _wrongly_judged(settings, place) == {}


def test_odd_message_may_be_the_whole_batch(settings: Settings) -> None:
    """Parsed only: what was accepted by then is of the right types."""
    lanes = 2
    with ThreadPoolExecutor(lanes) as pool:
        found = list(
            pool.map(
                lambda lane: _parsed_alone(settings, range(lane, len(CASES), lanes)),
                range(lanes),
            )
        )

    wrong = {
        CASES[number].name: (outcome, sorted(CASES[number].expect), CASES[number].why)
        for lane in found
        for number, outcome in lane
        if not _fits(CASES[number], outcome)
    }
    assert wrong == {}


@pytest.mark.parametrize("form", Form)
def test_message_is_accepted_exactly_if_every_rule_holds(
    settings: Settings, form: Form
) -> None:
    shape = SHAPES[form]
    texts = ", ".join(f"{text} AS {name}" for name, text in shape.texts.items())
    with _connect(settings) as conn:
        rows = execute(
            conn,
            f"SELECT kafka_offset, ({shape.accepts()}) IS TRUE,"
            f" {_first_broken(shape)}"
            f" FROM (SELECT kafka_offset, doc, {texts} FROM"
            " (SELECT kafka_offset, stg.jsonb_or_null(message) AS doc"
            " FROM stg.order_events WHERE topic = %(topic)s OFFSET 0) AS parsed"
            " OFFSET 0) AS message WHERE jsonb_typeof(doc) = 'object'",
            {"topic": _topic("alone", form)},
        ).fetchall()

    assert len(rows) > 500
    assert [
        (CASES[number].name, accepted, broken)
        for number, accepted, broken in rows
        if accepted is not (broken is None)
    ] == []


def test_refused_message_gets_a_detail_that_names_the_field(
    settings: Settings,
) -> None:
    """What a person reads must tell what is wrong, in at most one line."""
    case = next(c for c in CASES if c.name == "raw:payload.order_items.1.price:text")
    with open_run(settings, FOOD.vault, caller("detail")) as attempt:
        log, at = FeedPartition(_topic("alone", case.form), 0, 0), CASES.index(case)
        with attempt.batch([Range(log, at, at + 1)], is_repeat=True) as batch:
            load.load(attempt.conn, settings, FOOD, batch)
        (detail,) = attempt.conn.execute(
            "SELECT detail FROM stg.rejected_messages"
            " WHERE topic = %s AND kafka_offset = %s",
            (log.topic, at),
        ).fetchone() or ("",)

    assert detail == "price in payload.order_items must be a number"


def _messages(place: str, number: int, case: Case) -> list[Message]:
    offset, size = PLACES[place]
    topic = _topic(place, case.form)
    start = number * size
    messages = [
        Message(topic, 0, 0, start + at, BROKER_DT, NEIGHBOURS[case.form])
        for at in range(size)
    ]
    messages[offset] = Message(
        topic, 0, 0, start + offset, case.broker_dt, case.value, case.headers
    )
    return messages


def _topic(place: str, form: Form) -> str:
    return f"{place}_{form}"


def _first_broken(shape: Shape) -> str:
    # A later rule rests on the earlier ones, as in the statement that names reasons.
    branches = " ".join(
        f"WHEN ({condition}) IS NOT TRUE THEN {number}"
        for number, (_, _, condition) in enumerate(shape.rules())
    )
    return f"CASE {branches} END"


def _wrongly_judged(settings: Settings, place: str) -> dict[str, Any]:
    """Return what became of each case that isn't as it says, and of its neighbours."""
    offset, size = PLACES[place]
    topics = [_topic(place, form) for form in Form]
    with _connect(settings) as conn:
        refused = _by_offset(
            conn,
            "SELECT kafka_offset, reason FROM stg.rejected_messages"
            " WHERE topic = ANY(%s)",
            topics,
        )
        accepted = _by_offset(
            conn,
            "SELECT kafka_offset, 'accepted' FROM dds.s_order_version"
            " WHERE topic = ANY(%s)",
            topics,
        )
    wrong: dict[str, Any] = {}
    for number, case in enumerate(CASES):
        found = [
            [what[at] for what in (accepted, refused) if at in what]
            for at in range(number * size, (number + 1) * size)
        ]
        neighbours = found[:offset] + found[offset + 1 :]
        if not _fits(case, found[offset]) or any(
            one != ["accepted"] for one in neighbours
        ):
            wrong[case.name] = (found, sorted(case.expect), case.why)
    return wrong


def _parsed_alone(
    settings: Settings, numbers: Iterable[int]
) -> list[tuple[int, list[str]]]:
    found = []
    with _connect(settings) as conn:
        for number in numbers:
            log = FeedPartition(_topic("alone", CASES[number].form), 0, 0)
            with conn.transaction(force_rollback=True):
                forms = catalog.topics(settings, FOOD)
                make_ranges(conn, [Range(log, number, number + 1)], forms)
                for step in parse.parse_steps(_ORDERS):
                    execute(conn, step.statement, PARAMETERS)
                rows = conn.execute(
                    "SELECT 'accepted' FROM batch_orders"
                    " UNION ALL SELECT reason FROM stg.rejected_messages"
                    " WHERE topic = %s AND kafka_offset = %s",
                    (log.topic, number),
                )
                found.append((number, [what for (what,) in rows]))
    return found


def _fits(case: Case, outcome: list[str]) -> bool:
    """Tell whether a message had one outcome, and one that its case allows."""
    return len(outcome) == 1 and outcome[0] in (case.expect or {"accepted"})


def _by_offset(conn: Connection, query: str, topics: list[str]) -> dict[int, str]:
    return {at: what for at, what in conn.execute(query, (topics,))}


def _connect(settings: Settings) -> Connection:
    return psycopg.connect(settings.dwh_dsn.get_secret_value(), autocommit=True)
