"""Cases that change one field of an example to each value of the field's kind."""

from collections.abc import Iterator

from tests.corpus.case import ACCEPTED, MISSING, SHAPE, Case, example
from tests.corpus.times import FAR_TIME, TIME
from tests.corpus.values import (
    LONG_TEXT,
    MONEY,
    OBJECT_ID,
    OPTIONAL,
    QUANTITY,
    REQUIRED,
    SHORT_TEXT,
    Value,
)
from tests.model.history import Form
from tests.model.render import Literal

# (path, whether it is required, the values of its kind)
RAW_FIELDS: list[tuple[str, bool, list[Value]]] = [
    ("object_id", True, OBJECT_ID),
    ("sent_dttm", False, TIME + FAR_TIME),
    ("payload.restaurant.id", True, SHORT_TEXT),
    ("payload.date", True, TIME + FAR_TIME),
    ("payload.user.id", True, SHORT_TEXT),
    ("payload.bonus_payment", False, MONEY),
    ("payload.cost", True, MONEY),
    ("payload.payment", True, MONEY),
    ("payload.bonus_grant", False, MONEY),
    ("payload.statuses.1.status", False, SHORT_TEXT),
    ("payload.statuses.1.dttm", False, TIME + FAR_TIME),
    ("payload.final_status", True, SHORT_TEXT),
    ("payload.update_ts", True, TIME),
    ("payload.order_items.1.id", True, SHORT_TEXT),
    ("payload.order_items.1.name", False, LONG_TEXT),
    ("payload.order_items.1.price", True, MONEY),
    ("payload.order_items.1.quantity", True, QUANTITY),
]

ENRICHED_FIELDS: list[tuple[str, bool, list[Value]]] = [
    ("object_id", True, OBJECT_ID),
    ("payload.date", True, TIME),
    ("payload.cost", True, MONEY),
    ("payload.payment", True, MONEY),
    ("payload.status", True, SHORT_TEXT),
    ("payload.restaurant.id", True, SHORT_TEXT),
    ("payload.restaurant.name", False, LONG_TEXT),
    ("payload.user.id", True, SHORT_TEXT),
    ("payload.user.name", False, LONG_TEXT),
    ("payload.user.login", False, LONG_TEXT),
    ("payload.products.0.id", True, SHORT_TEXT),
    ("payload.products.0.price", True, MONEY),
    ("payload.products.0.quantity", True, QUANTITY),
    ("payload.products.0.name", False, LONG_TEXT),
    ("payload.products.0.category", False, LONG_TEXT),
]


def cases() -> Iterator[Case]:
    """Yield a case per field and value, and one without the field."""
    for form, fields in ((Form.RAW, RAW_FIELDS), (Form.ENRICHED, ENRICHED_FIELDS)):
        for path, is_required, values in fields:
            # payload.id must equal object_id: without it, one field is changed.
            alone = {"payload.id": MISSING} if form is Form.ENRICHED else {}
            yield Case(
                name=f"{form}:{path}:missing",
                form=form,
                value=example(form, {**alone, path: MISSING}),
                expect=SHAPE if is_required else ACCEPTED,
                why="required" if is_required else "optional",
            )
            for name, literal, expect, why in values + (
                REQUIRED if is_required else OPTIONAL
            ):
                yield Case(
                    name=f"{form}:{path}:{name}",
                    form=form,
                    value=example(form, {**alone, path: Literal(literal)}),
                    expect=expect,
                    why=why,
                )
