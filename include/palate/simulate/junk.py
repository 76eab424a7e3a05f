"""Messages that must be refused, each for one known reason (contract, section 6)."""

import json
import random
from collections.abc import Callable
from typing import Any

Document = dict[str, Any]

NOT_JSON = "not_json"
NOT_AN_ORDER = "not_an_order"
WRONG_SHAPE = "wrong_shape"
OUT_OF_RANGE = "value_out_of_range"
IN_FUTURE = "version_in_future"

# Later than any broker time, whenever the message is sent.
_NEVER = "9999-01-01 00:00:00"


def refused(rnd: random.Random, value: bytes) -> tuple[bytes | None, str]:
    """Return a message that must be refused, and the reason.

    Most are made from a message that would count if it were whole, so that half of a
    refused message shows in the marts.

    :param value: a message of the raw form
    """
    reason, damage = rnd.choice(_DAMAGES)
    return damage(value), reason


def refused_enriched(rnd: random.Random, value: bytes) -> tuple[bytes | None, str]:
    """Do what ``refused`` does with a message of the enriched form."""
    reason, damage = rnd.choice(_DAMAGES_ENRICHED)
    return damage(value), reason


Damage = Callable[[bytes], bytes | None]


def _fixed(value: bytes | None) -> Damage:
    return lambda _: value


def _after(change: Callable[[bytes], bytes]) -> Damage:
    return change


def _put(path: str, item: Any) -> Damage:
    """Return a damage that puts ``item`` at a path such as ``payload.user.id``."""

    def damage(value: bytes) -> bytes:
        document, holder, last = _find(value, path)
        holder[last] = item
        return json.dumps(document).encode("ascii")

    return damage


def _drop(path: str) -> Damage:
    def damage(value: bytes) -> bytes:
        document, holder, last = _find(value, path)
        holder.pop(last, None)
        return json.dumps(document).encode("ascii")

    return damage


def _find(value: bytes, path: str) -> tuple[Document, Document, str]:
    document: Document = json.loads(value)
    *steps, last = path.split(".")
    holder = document
    for step in steps:
        holder = holder[step]
    return document, holder, last


def _add_line(name: str, **line: Any) -> Damage:
    """Return a damage that adds one bad line after the good ones."""

    def damage(value: bytes) -> bytes:
        document = json.loads(value)
        document["payload"][name].append(line)
        return json.dumps(document).encode("ascii")

    return damage


_DISH = "c5b64c8ba71adb08ce4bf7bc"

_DAMAGES: list[tuple[str, Damage]] = [
    (NOT_JSON, _fixed(None)),
    (NOT_JSON, _fixed(b"")),
    (NOT_JSON, _fixed(b"test message")),
    (NOT_JSON, _fixed(b"\x00\x01\xff")),
    (NOT_JSON, _after(lambda value: value[: len(value) // 2])),
    (NOT_JSON, _after(lambda value: b"\xef\xbb\xbf" + value)),
    (NOT_JSON, _after(lambda value: value.replace(b'"order_items"', b'"\xc0\xaf"'))),
    (NOT_JSON, _after(lambda value: value.replace(b'"bonus_grant": 0', b'"n": NaN'))),
    (NOT_JSON, _after(lambda value: value.replace(b'"final_st', b'"\\ud800_st'))),
    (NOT_JSON, _after(lambda value: value.replace(b'"final_st', b'"\\u0000_st'))),
    (NOT_AN_ORDER, _fixed(b'{"ping": 1}')),
    (NOT_AN_ORDER, _fixed(b'"connection test"')),
    (NOT_AN_ORDER, _fixed(b"[]")),
    (NOT_AN_ORDER, _fixed(b"42")),
    (NOT_AN_ORDER, _put("object_type", "courier")),
    (NOT_AN_ORDER, _put("object_type", "Order")),
    (NOT_AN_ORDER, _put("object_type", None)),
    (WRONG_SHAPE, _drop("object_id")),
    (WRONG_SHAPE, _put("object_id", "2301365")),
    (WRONG_SHAPE, _drop("payload")),
    (WRONG_SHAPE, _put("payload", [])),
    (WRONG_SHAPE, _put("payload.restaurant.id", None)),
    (WRONG_SHAPE, _put("payload.user", "626a81ce9a8cd1920641e296")),
    (WRONG_SHAPE, _put("payload.update_ts", "2023-08-05T06:28:54")),
    (WRONG_SHAPE, _put("payload.date", 1691216934)),
    (WRONG_SHAPE, _put("payload.order_items", {})),
    (WRONG_SHAPE, _put("payload.cost", "2350")),
    (WRONG_SHAPE, _drop("payload.final_status")),
    (WRONG_SHAPE, _add_line("order_items", id=_DISH, price=1, quantity=1.5)),
    (WRONG_SHAPE, _add_line("order_items", id=_DISH, price=1)),
    (OUT_OF_RANGE, _put("object_id", 2**63)),
    (OUT_OF_RANGE, _put("payload.cost", -1)),
    (OUT_OF_RANGE, _put("payload.payment", 10**12 + 1)),
    (OUT_OF_RANGE, _put("payload.date", "2023-02-29 12:00:00")),
    (OUT_OF_RANGE, _put("payload.user.id", "")),
    (OUT_OF_RANGE, _put("payload.final_status", "C" * 101)),
    (OUT_OF_RANGE, _add_line("order_items", id=_DISH, price=0.000001, quantity=1)),
    (OUT_OF_RANGE, _add_line("order_items", id=_DISH, price=1, quantity=0)),
    (IN_FUTURE, _put("payload.update_ts", _NEVER)),
]

_DAMAGES_ENRICHED: list[tuple[str, Damage]] = [
    (NOT_JSON, _fixed(b"test message")),
    (NOT_JSON, _after(lambda value: value[: len(value) // 2])),
    (NOT_AN_ORDER, _put("object_type", "courier")),
    (WRONG_SHAPE, _put("payload.id", 2**62)),
    (WRONG_SHAPE, _put("payload.products", {})),
    (WRONG_SHAPE, _put("payload.user.login", 7)),
    (WRONG_SHAPE, _drop("payload.status")),
    (WRONG_SHAPE, _add_line("products", id=_DISH, price=1, quantity="1")),
    (OUT_OF_RANGE, _put("payload.restaurant.name", "№" * 1001)),
    (OUT_OF_RANGE, _put("payload.date", "2023-08-05 24:00:00")),
    (OUT_OF_RANGE, _add_line("products", id=_DISH, price=1, quantity=10**6 + 1)),
    (IN_FUTURE, _put("payload.date", _NEVER)),
]
