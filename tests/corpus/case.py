"""A case of the corpus, and the two example messages that cases are made from."""

import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.model.history import Form
from tests.model.render import Literal, text

ACCEPTED: frozenset[str] = frozenset()
NOT_JSON = frozenset({"not_json"})
NOT_AN_ORDER = frozenset({"not_an_order"})
SHAPE = frozenset({"wrong_shape"})
RANGE = frozenset({"value_out_of_range"})
FUTURE = frozenset({"version_in_future"})
OWN = frozenset({"own_message"})

BROKER_DT = datetime(2023, 8, 12, 6, 7, 16, 500_000, tzinfo=UTC)

RAW_EXAMPLE: dict[str, Any] = {
    "object_id": 2301365,
    "object_type": "order",
    "sent_dttm": "2023-08-12 06:07:15",
    "payload": {
        "restaurant": {"id": "a51e4e31ae4602047ec52534"},
        "date": "2023-08-05 06:28:54",
        "user": {"id": "626a81ce9a8cd1920641e296"},
        "order_items": [
            {
                "id": "c5b64c8ba71adb08ce4bf7bc",
                "name": "Аджапсандали",
                "price": 400,
                "quantity": 5,
            },
            {
                "id": "165b4812b4334fdbeaeca3a3",
                "name": "Лобио",
                "price": 350,
                "quantity": 1,
            },
        ],
        "bonus_payment": 0,
        "cost": 2350,
        "payment": 2350,
        "bonus_grant": 0,
        "statuses": [
            {"status": "CLOSED", "dttm": "2023-08-05 06:28:54"},
            {"status": "DELIVERING", "dttm": "2023-08-05 05:34:29"},
            {"status": "COOKING", "dttm": "2023-08-05 04:37:14"},
            {"status": "OPEN", "dttm": "2023-08-05 04:26:54"},
        ],
        "final_status": "CLOSED",
        "update_ts": "2023-08-05 06:28:54",
    },
}

ENRICHED_EXAMPLE: dict[str, Any] = {
    "object_id": 322519,
    "object_type": "order",
    "payload": {
        "id": 322519,
        "date": "2022-11-19 16:06:36",
        "cost": 300,
        "payment": 300,
        "status": "CLOSED",
        "restaurant": {"id": "626a81cfefa404208fe9abae", "name": "Кофейня №1"},
        "user": {
            "id": "626a81ce9a8cd1920641e296",
            "name": "Котова Ольга Вениаминовна",
            "login": "kotova_o",
        },
        "products": [
            {
                "id": "6276e8cd0cf48b4cded00878",
                "price": 180,
                "quantity": 1,
                "name": "РОЛЛ С ТОФУ И ВЯЛЕНЫМИ ТОМАТАМИ",
                "category": "Выпечка",
            }
        ],
    },
}

EXAMPLES = {Form.RAW: RAW_EXAMPLE, Form.ENRICHED: ENRICHED_EXAMPLE}
LINES = {Form.RAW: "order_items", Form.ENRICHED: "products"}
BOTH = (Form.RAW, Form.ENRICHED)

MISSING = object()


@dataclass(frozen=True)
class Case:
    """A message on a topic of a form, and every reason that may be named for it.

    ``expect`` is empty where the message is an accepted order.
    """

    name: str
    form: Form
    value: bytes | None
    expect: frozenset[str]
    why: str
    headers: tuple[tuple[str, bytes | None], ...] = ()
    broker_dt: datetime = BROKER_DT


def example(form: Form, changes: dict[str, Any] | None = None) -> bytes:
    """Return the form's example, changed.

    :param changes: by path, such as ``payload.products.0.price``: a value to put
        there (``Literal`` for JSON text as it is), or ``MISSING``
    """
    message = copy.deepcopy(EXAMPLES[form])
    for path, value in (changes or {}).items():
        *way, last = path.split(".")
        here: Any = message
        for step in way:
            here = here[int(step)] if isinstance(here, list) else here[step]
        if value is MISSING:
            del here[last]
        elif isinstance(here, list):
            here[int(last)] = value
        else:
            here[last] = value
    return text(message).encode()


def with_extra(form: Form, extra: str) -> bytes:
    """Return the form's example with a field of its own, given as JSON text.

    Contract, section 6: "other fields are kept in STG and ignored".
    """
    return example(form, {"payload.extra": Literal(extra)})
