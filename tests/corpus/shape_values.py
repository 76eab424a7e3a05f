"""Values for the cases of whole messages: JSON text as it is put in, and why."""

from tests.corpus.case import ACCEPTED, NOT_AN_ORDER, OWN, RANGE, SHAPE

TOPS: list[tuple[str, bytes, str]] = [
    ("empty_object", b"{}", "no object_type"),
    ("empty_list", b"[]", "a list"),
    ("text", b'"order"', "a text"),
    ("number", b"1", "a number"),
    ("true", b"true", "a word"),
    ("null", b"null", "JSON's null is JSON, and no object"),
    ("payload_only", b'{"payload": {"object_type": "order"}}', "not at the top"),
]

OBJECT_TYPES: list[tuple[str, str, frozenset[str], str]] = [
    ("escaped", r'"\u006frder"', ACCEPTED, "the same text"),
    ("null", "null", NOT_AN_ORDER, "not the text order"),
    ("other", '"restaurant"', NOT_AN_ORDER, "not the text order"),
    ("capital", '"Order"', NOT_AN_ORDER, "no change of case"),
    ("capitals", '"ORDER"', NOT_AN_ORDER, "no change of case"),
    ("blank_before", '" order"', NOT_AN_ORDER, "no trimming"),
    ("blank_after", '"order "', NOT_AN_ORDER, "no trimming"),
    ("plural", '"orders"', NOT_AN_ORDER, "not the text order"),
    ("cyrillic_o", '"\u043erder"', NOT_AN_ORDER, "another character"),
    ("empty", '""', NOT_AN_ORDER, "not the text order"),
    ("number", "5", NOT_AN_ORDER, "not the text order"),
    ("list", '["order"]', NOT_AN_ORDER, "not the text order"),
    ("object", '{"order": "order"}', NOT_AN_ORDER, "not the text order"),
]

OBJECTS: list[tuple[str, str, str]] = [
    ("null", "null", "null is the same as missing"),
    ("empty_object", "{}", "what it must hold is missing"),
    ("text", '"626a81ce9a8cd1920641e296"', "an object is wanted"),
    ("empty_text", '""', "an object is wanted"),
    ("number", "1", "an object is wanted"),
    ("true", "true", "an object is wanted"),
    ("list", '[{"id": "x"}]', "an object is wanted"),
    ("empty_list", "[]", "an object is wanted"),
    ("json_in_a_text", r'"{\"id\": \"x\"}"', "an object is wanted"),
    ("key_in_other_case", '{"ID": "x", "Id": "x"}', "keys are told apart by case"),
]

LISTS: list[tuple[str, str, frozenset[str], str]] = [
    ("null", "null", ACCEPTED, "null is the same as missing"),
    ("empty_list", "[]", ACCEPTED, "a list of none"),
    ("empty_object", "{}", SHAPE, "a list is wanted"),
    ("object", '{"id": "d", "price": 1, "quantity": 1}', SHAPE, "a list is wanted"),
    ("text", '"x"', SHAPE, "a list is wanted"),
    ("empty_text", '""', SHAPE, "a list is wanted"),
    ("number", "0", SHAPE, "a list is wanted"),
    ("false", "false", SHAPE, "a list is wanted"),
    ("number_element", "[1]", SHAPE, "every element is an object"),
    ("text_element", '["d"]', SHAPE, "every element is an object"),
    ("null_element", "[null]", SHAPE, "every element is an object"),
    ("true_element", "[true]", SHAPE, "every element is an object"),
    ("list_element", "[[]]", SHAPE, "every element is an object"),
    (
        "one_good_one_not",
        '[{"id": "d", "price": 1, "quantity": 1}, 1]',
        SHAPE,
        "never half a message",
    ),
]

PAYLOAD_IDS: list[tuple[str, str, frozenset[str], str]] = [
    ("null", "null", ACCEPTED, "where not null"),
    ("point_zero", "322519.0", ACCEPTED, "equal by value"),
    ("zeros", "322519.000000", ACCEPTED, "equal by value"),
    ("exponent", "3.22519e5", ACCEPTED, "equal by value"),
    ("other", "322520", SHAPE, "not equal"),
    ("negative", "-322519", SHAPE, "not equal"),
    ("near", "322519.0000000000000000001", SHAPE, "not equal"),
    ("huge", "1e400", SHAPE, "not equal"),
    ("text", '"322519"', SHAPE, "a text equals no number"),
    ("true", "true", SHAPE, "no number"),
    ("list", "[322519]", SHAPE, "no number"),
    ("object", '{"id": 322519}', SHAPE, "no number"),
]

# Both forms have these fields, and both are broken.
COMBINED: list[tuple[str, dict[str, str], frozenset[str], str]] = [
    (
        "shape_and_range",
        {"payload.cost": "-1", "payload.date": "null"},
        SHAPE | RANGE,
        "of several other broken rules any may be named",
    ),
    (
        "two_ranges",
        {"payload.cost": "-1", "payload.payment": "1e13"},
        RANGE,
        "one rule, twice",
    ),
    (
        "payload_and_object_id",
        {"payload": "[]", "object_id": "1e19"},
        SHAPE | RANGE,
        "of several other broken rules any may be named",
    ),
]

# "What Palate publishes carries the header palate-origin".
HEADERS: list[tuple[str, tuple[tuple[str, bytes | None], ...], frozenset[str], str]] = [
    ("own", (("palate-origin", b"palate"),), OWN, "the header is there"),
    ("own_empty", (("palate-origin", b""),), OWN, "whatever its value"),
    ("own_null", (("palate-origin", None),), OWN, "whatever its value"),
    ("own_odd", (("palate-origin", b"\xff\x00"),), OWN, "whatever its value"),
    ("own_second", (("a", b"1"), ("palate-origin", b"1")), OWN, "at any place"),
    ("own_twice", (("palate-origin", b"1"),) * 2, OWN, "headers may repeat"),
    ("other", (("traceparent", b"00-1"),), ACCEPTED, "another header"),
    ("other_value", (("origin", b"palate-origin"),), ACCEPTED, "a value, no name"),
    ("other_case", (("Palate-Origin", b"1"),), ACCEPTED, "Kafka tells case apart"),
    ("longer", (("palate-origin-x", b"1"),), ACCEPTED, "another header"),
    ("empty_name", (("", b"1"),), ACCEPTED, "another header"),
]

ENRICHED_ONLY = (
    "payload.id",
    "payload.status",
    "payload.products",
    "payload.restaurant.name",
    "payload.user.name",
    "payload.user.login",
    "payload.order_items.0.category",
)

RAW_ONLY = (
    "sent_dttm",
    "payload.bonus_payment",
    "payload.bonus_grant",
    "payload.statuses",
    "payload.order_items",
    "payload.final_status",
    "payload.update_ts",
)
