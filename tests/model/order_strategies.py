"""Hypothesis strategies for one message: an order in either form, or none at all."""

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

from hypothesis import strategies as st

from tests.model import pools
from tests.model.history import Form
from tests.model.render import Literal, text

Draw = Callable[[st.SearchStrategy[Any]], Any]
Json = dict[str, Any]

LINES = {Form.RAW: "order_items", Form.ENRICHED: "products"}

# What makes any order unusable: (path, JSON text).
_BREAKING = (
    ("object_type", '"restaurant"'),
    ("object_type", "null"),
    ("object_id", "1.5"),
    ("object_id", "-1"),
    ("object_id", '"1"'),
    ("payload", "null"),
    ("payload", "[]"),
    ("payload.user", '{"id": ""}'),
    ("payload.user", '{"ID": "u1"}'),
    ("payload.restaurant", '"B"'),
    ("payload.date", '"2022-02-30 00:00:00"'),
    ("payload.date", '"2022-02-03T00:00:00"'),
    ("payload.cost", "0.000001"),
    ("payload.cost", '"100"'),
    ("payload.payment", "1e13"),
    ("payload.{lines}", "{}"),
    ("payload.{lines}", '[{"id": "ghost", "price": 1, "quantity": 1}, 7]'),
    ("payload.{lines}", '[{"id": "ghost", "price": 1, "quantity": 0}]'),
    ("payload.{lines}", '[{"id": "ghost", "price": null, "quantity": 1}]'),
    ("extra", r'"\u0000"'),
    ("extra", "NaN"),
)
_NO_ORDERS = (
    None,
    b"",
    b"test",
    b"\xff\xfe",
    b"null",
    b"{}",
    b'{"object_type":"order"}',
)


@cache  # to build a strategy takes longer than to draw from it
def orders(form: Form) -> st.SearchStrategy[Json]:
    """Give orders, as objects to be written, that break no rule but the version's."""
    return _raw_orders() if form is Form.RAW else _enriched_orders()


@st.composite
def changed(draw: Draw, form: Form, order: Json) -> Json:
    """Draw another version: the same order with a few of its fields anew.

    What isn't changed ties, the version time included.
    """
    other = draw(orders(form))
    names = sorted({*order["payload"], *other["payload"]} - {"id"})
    version = copy.deepcopy(order)
    for name in draw(st.sets(st.sampled_from(names), min_size=1, max_size=3)):
        if name in other["payload"]:
            version["payload"][name] = other["payload"][name]
        else:
            del version["payload"][name]
    if form is Form.RAW and draw(st.booleans()):
        version["sent_dttm"] = other.get("sent_dttm")
    return version


@st.composite
def written(draw: Draw, order: Json) -> bytes:
    """Draw the bytes of an order."""
    escaped, blank = draw(st.booleans()), draw(st.sampled_from(["", " "]))
    return text(order, escaped=escaped, blank=blank).encode()


@st.composite
def refused_values(draw: Draw, form: Form) -> bytes | None:
    """Draw a value that is no usable order; whom it names exists nowhere else."""
    kind = draw(st.sampled_from(["no order", "broken", "broken", "other form"]))
    if kind == "no order":
        value: bytes | None = draw(st.sampled_from(_NO_ORDERS))
        return value
    if kind == "other form":
        form = Form.ENRICHED if form is Form.RAW else Form.RAW
    order = copy.deepcopy(draw(orders(form)))
    order["payload"]["user"]["id"] = "ghost"
    if kind == "other form":
        return text(order).encode()
    path, literal = draw(st.sampled_from(_BREAKING))
    *way, last = path.format(lines=LINES[form]).split(".")
    here = order
    for step in way:
        here = here[step]
    here[last] = Literal(literal)
    return text(order).encode()


def _optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return pools.mostly(strategy, None, pools.MISSING)


def _lists(element: st.SearchStrategy[Json]) -> st.SearchStrategy[Any]:
    return pools.mostly(st.lists(element, min_size=1, max_size=3), [], None)


def _raw_orders() -> st.SearchStrategy[Json]:
    line = pools.objects(
        id=pools.DISHES,
        name=_optional(pools.NAMES),
        price=pools.MONEY,
        quantity=pools.QUANTITIES,
        # A raw line has no category: it must be ignored there.
        category=st.one_of(st.just(pools.MISSING), pools.CATEGORIES),
    )
    told = pools.objects(status=_optional(pools.STATUSES), dttm=_optional(pools.TIMES))
    payload = pools.objects(
        restaurant=pools.objects(id=pools.RESTAURANTS),
        date=pools.mostly(pools.TIMES, *pools.FAR_TIMES),
        user=pools.objects(id=pools.USERS),
        order_items=_lists(line),
        bonus_payment=_optional(pools.MONEY),
        cost=pools.MONEY,
        payment=pools.MONEY,
        bonus_grant=_optional(pools.MONEY),
        statuses=_lists(told),
        final_status=pools.STATUSES,
        update_ts=pools.TIMES,
    )
    return pools.objects(
        object_id=pools.ORDER_IDS,
        object_type=st.just("order"),
        sent_dttm=st.one_of(pools.TIMES, st.sampled_from([None, pools.MISSING])),
        payload=payload,
    )


def _enriched_orders() -> st.SearchStrategy[Json]:
    name = _optional(pools.NAMES)
    line = pools.objects(
        id=pools.DISHES,
        price=pools.MONEY,
        quantity=pools.QUANTITIES,
        name=name,
        category=_optional(pools.CATEGORIES),
    )
    payload = pools.objects(
        date=pools.TIMES,
        cost=pools.MONEY,
        payment=pools.MONEY,
        status=pools.STATUSES,
        restaurant=pools.objects(id=pools.RESTAURANTS, name=name),
        user=pools.objects(id=pools.USERS, name=name, login=name),
        products=_lists(line),
        # The raw form's time decides nothing here.
        update_ts=st.one_of(st.just(pools.MISSING), pools.TIMES),
    )
    return st.builds(
        _with_payload_id,
        st.fixed_dictionaries(
            {
                "object_id": pools.ORDER_IDS,
                "object_type": st.just("order"),
                "payload": payload,
            }
        ),
        st.sampled_from([None, "", ".0"]),
    )


def _with_payload_id(order: Json, spelling: str | None) -> Json:
    if spelling is not None:
        order["payload"]["id"] = Literal(f"{order['object_id']}{spelling}")
    return order
