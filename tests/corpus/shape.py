"""Cases of the whole message: what it is, what it consists of, whose it is."""

from collections.abc import Iterator

from tests.corpus.case import (
    ACCEPTED,
    BOTH,
    LINES,
    MISSING,
    NOT_AN_ORDER,
    OWN,
    RANGE,
    SHAPE,
    Case,
    example,
)
from tests.corpus.shape_values import (
    COMBINED,
    ENRICHED_ONLY,
    HEADERS,
    LISTS,
    OBJECT_TYPES,
    OBJECTS,
    PAYLOAD_IDS,
    RAW_ONLY,
    TOPS,
)
from tests.model.history import Form
from tests.model.render import Literal


def cases() -> Iterator[Case]:
    """Yield the cases of both forms, then those of one form only."""
    for form in BOTH:
        yield from _tops(form)
        yield from _object_types(form)
        yield from _objects(form)
        yield from _lists(form, f"payload.{LINES[form]}", element_may_be_empty=False)
        yield from _many_lines(form)
        yield from _combined(form)
        yield from _own(form)
    yield from _lists(Form.RAW, "payload.statuses", element_may_be_empty=True)
    yield from _payload_ids()
    yield from _fields_of_the_other_form()


def _tops(form: Form) -> Iterator[Case]:
    for name, value, why in TOPS:
        yield Case(f"{form}:top:{name}", form, value, NOT_AN_ORDER, why)
    in_a_list = b"[" + example(form) + b"]"
    yield Case(f"{form}:top:list", form, in_a_list, NOT_AN_ORDER, "a list")
    as_text = Literal(example(form).decode())
    quoted = '"' + as_text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    yield Case(
        f"{form}:top:order_in_a_text",
        form,
        quoted.encode(),
        NOT_AN_ORDER,
        "a text that holds JSON isn't an object",
    )


def _object_types(form: Form) -> Iterator[Case]:
    for name, literal, expect, why in OBJECT_TYPES:
        value = example(form, {"object_type": Literal(literal)})
        yield Case(f"{form}:object_type:{name}", form, value, expect, why)
    missing = example(form, {"object_type": MISSING})
    yield Case(f"{form}:object_type:missing", form, missing, NOT_AN_ORDER, "missing")
    both_broken = example(form, {"object_type": "user", "payload": MISSING})
    yield Case(
        f"{form}:object_type:other_and_no_payload",
        form,
        both_broken,
        NOT_AN_ORDER,
        "not_an_order comes before all else",
    )
    order = '"object_type": "order"'
    for name, twice, expect, why in (
        ("last_is_order", f'"object_type": "x", {order}', ACCEPTED, "the last counts"),
        ("last_is_other", f'{order}, "object_type": "x"', NOT_AN_ORDER, "the last"),
        (
            "last_is_escaped",
            rf'{order}, "\u006fbject_type": "x"',
            NOT_AN_ORDER,
            "keys are equal by their characters",
        ),
        ("other_case", f'{order}, "Object_Type": "x"', ACCEPTED, "another key"),
    ):
        value = example(form).replace(order.encode(), twice.encode())
        yield Case(f"{form}:object_type:twice_{name}", form, value, expect, why)


def _objects(form: Form) -> Iterator[Case]:
    for path in ("payload", "payload.restaurant", "payload.user"):
        without = example(form, {path: MISSING})
        yield Case(f"{form}:{path}:missing", form, without, SHAPE, "required")
        for name, literal, why in OBJECTS:
            value = example(form, {path: Literal(literal)})
            yield Case(f"{form}:{path}:{name}", form, value, SHAPE, why)


def _lists(form: Form, path: str, *, element_may_be_empty: bool) -> Iterator[Case]:
    without = example(form, {path: MISSING})
    yield Case(f"{form}:{path}:missing", form, without, ACCEPTED, "optional")
    for name, literal, expect, why in LISTS:
        value = example(form, {path: Literal(literal)})
        yield Case(f"{form}:{path}:{name}", form, value, expect, why)
    yield Case(
        f"{form}:{path}:empty_element",
        form,
        example(form, {path: Literal("[{}]")}),
        ACCEPTED if element_may_be_empty else SHAPE,
        "of each status both fields are optional"
        if element_may_be_empty
        else "of each line id, price and quantity are required",
    )


def _many_lines(form: Form) -> Iterator[Case]:
    path = f"payload.{LINES[form]}"
    line = {"id": "d", "price": 1, "quantity": 1}
    broken_line = {"id": "d", "price": -1, "quantity": 1}
    many = [line] * 10_000
    for name, lines, expect, why in (
        ("dish_twice", [line, line], ACCEPTED, "pieces and money add up"),
        ("10000", many, ACCEPTED, "no limit on lines"),
        ("10000_last_broken", [*many, broken_line], RANGE, "never half a message"),
        ("first_broken", [broken_line, line], RANGE, "never half a message"),
        ("two_broken", [broken_line, {"id": "d"}], RANGE | SHAPE, "any may be named"),
    ):
        value = example(form, {path: lines})
        yield Case(f"{form}:{path}:{name}", form, value, expect, why)


def _combined(form: Form) -> Iterator[Case]:
    for name, changes, expect, why in COMBINED:
        value = example(form, {p: Literal(v) for p, v in changes.items()})
        yield Case(f"{form}:combined:{name}", form, value, expect, why)


def _own(form: Form) -> Iterator[Case]:
    for name, headers, expect, why in HEADERS:
        value = example(form)
        yield Case(f"{form}:header:{name}", form, value, expect, why, headers)
    origin = (("palate-origin", b"1"),)
    for name, broken, expect in (
        ("no_json", b"test", frozenset({"not_json"})),
        ("no_order", b"{}", NOT_AN_ORDER),
        ("wrong_shape", example(form, {"payload": MISSING}), SHAPE),
        ("out_of_range", example(form, {"payload.cost": -1}), RANGE),
    ):
        yield Case(
            f"{form}:header:own_and_{name}",
            form,
            broken,
            expect | OWN,
            "own_message may replace any",
            origin,
        )


def _payload_ids() -> Iterator[Case]:
    for name, literal, expect, why in PAYLOAD_IDS:
        value = example(Form.ENRICHED, {"payload.id": Literal(literal)})
        yield Case(f"enriched:payload.id:{name}", Form.ENRICHED, value, expect, why)
    missing = example(Form.ENRICHED, {"payload.id": MISSING})
    yield Case(
        "enriched:payload.id:missing", Form.ENRICHED, missing, ACCEPTED, "where present"
    )
    for name, object_id, payload_id, expect, why in (
        ("one_and_true", "1", "true", SHAPE, "true is no number"),
        ("zero_and_false", "0", "false", SHAPE, "false is no number"),
        ("zero_and_minus_zero", "0", "-0.0", ACCEPTED, "equal by value"),
        ("point_zero_both_ways", "7.0", "7", ACCEPTED, "equal by value"),
        ("beyond_double", "9007199254740993", "9007199254740992", SHAPE, "exact"),
        ("both_negative", "-1", "-1", RANGE, "equal, but out of range"),
        ("both_fraction", "1.5", "1.5", SHAPE, "equal, but not whole"),
        ("both_text", '"7"', '"7"', SHAPE, "object_id is a number"),
        ("negative_and_other", "-1", "5", RANGE | SHAPE, "out of range and not equal"),
    ):
        yield Case(
            f"enriched:payload.id:{name}",
            Form.ENRICHED,
            example(
                Form.ENRICHED,
                {"object_id": Literal(object_id), "payload.id": Literal(payload_id)},
            ),
            expect,
            why,
        )


def _fields_of_the_other_form() -> Iterator[Case]:
    for form, paths in ((Form.RAW, ENRICHED_ONLY), (Form.ENRICHED, RAW_ONLY)):
        for path in paths:
            for name, literal in (("number", "-7.5"), ("list", "[1]"), ("text", '"x"')):
                value = example(form, {path: Literal(literal)})
                why = "a field of the other form only is ignored"
                yield Case(f"{form}:other:{path}:{name}", form, value, ACCEPTED, why)
    for form, other in ((Form.RAW, Form.ENRICHED), (Form.ENRICHED, Form.RAW)):
        yield Case(
            f"{form}:other:whole_message",
            form,
            example(other),
            SHAPE,
            "the other form on a topic is wrong_shape",
        )
    both = {
        "payload.final_status": "CLOSED",
        "payload.update_ts": "2022-11-19 16:06:36",
    }
    yield Case(
        "raw:other:both_forms_at_once",
        Form.RAW,
        example(Form.ENRICHED, both),
        ACCEPTED,
        "all that the raw form requires is there; no list means no dishes",
    )
    yield Case(
        "enriched:other:both_forms_at_once",
        Form.ENRICHED,
        example(Form.RAW, {"payload.status": "CLOSED"}),
        ACCEPTED,
        "all that the enriched form requires is there; no list means no dishes",
    )
