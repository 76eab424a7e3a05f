"""Dictionary entries: which are usable, and which count as missing.

From the end of the contract's section 6: an entry "that is not JSON, has another
``_id`` than its key, no ``name``, or no usable ``update_ts_utc`` counts as missing".
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.corpus.case import ACCEPTED
from tests.corpus.times import FAR_TIME, TIME
from tests.corpus.values import LONG_TEXT, SHORT_TEXT
from tests.model.history import Entry
from tests.model.render import Literal, text

GUEST = {
    "_id": "626a81ce9a8cd1920641e296",
    "name": "Котова Ольга Вениаминовна",
    "login": "kotova_o",
    "update_ts_utc": "2023-08-11 16:44:59",
}


@dataclass(frozen=True)
class EntryCase:
    """What Redis has under a key, and whether it is a usable entry."""

    name: str
    entry: Entry
    is_usable: bool
    why: str


def _entry(**changes: str) -> Entry:
    document = {**GUEST, **{name: Literal(value) for name, value in changes.items()}}
    return Entry(GUEST["_id"], text(document).encode())


def _without(name: str) -> Entry:
    document = {field: value for field, value in GUEST.items() if field != name}
    return Entry(GUEST["_id"], text(document).encode())


WHOLE: list[tuple[str, bytes, str]] = [
    ("empty", b"", "not JSON"),
    ("word", b"test", "not JSON"),
    ("latin_1", b'{"_id": "\xe9"}', "not JSON: not UTF-8"),
    ("bom", b"\xef\xbb\xbf" + _entry().value, "not JSON: a BOM"),
    ("cut", _entry().value[:-1], "not JSON: cut off"),
    ("null", b"null", "no object, so no _id"),
    ("list", b"[" + _entry().value + b"]", "no object, so no _id"),
    ("text", b'"x"', "no object, so no _id"),
    ("empty_object", b"{}", "no _id"),
]

# Fields that spoil no entry, whatever they hold.
HARMLESS = ("login", "menu", "extra")


def _cases() -> Iterator[EntryCase]:
    yield EntryCase("example", _entry(), True, "as it should be")
    for name, value, why in WHOLE:
        yield EntryCase(f"whole:{name}", Entry(GUEST["_id"], value), False, why)
    for field in ("_id", "name", "update_ts_utc"):
        yield EntryCase(f"{field}:missing", _without(field), False, "it is needed")
        yield EntryCase(f"{field}:null", _entry(**{field: "null"}), False, "as missing")
    for name, literal, expect, why in LONG_TEXT:
        usable = expect == ACCEPTED
        yield EntryCase(f"name:{name}", _entry(name=literal), usable, why)
    for name, literal, expect, why in TIME + FAR_TIME:
        usable = expect == ACCEPTED
        changed = _entry(update_ts_utc=literal)
        yield EntryCase(f"update_ts_utc:{name}", changed, usable, why)
    for name, literal, why in (
        ("other", '"626a81ce9a8cd1920641e297"', "another _id"),
        ("capitals", '"626A81CE9A8CD1920641E296"', "no change of case"),
        ("blank_after", '"626a81ce9a8cd1920641e296 "', "no trimming"),
        ("list", '["626a81ce9a8cd1920641e296"]', "no text"),
        ("object", '{"$oid": "626a81ce9a8cd1920641e296"}', "no text"),
        ("empty_list", "[]", "no text"),
    ):
        yield EntryCase(f"_id:{name}", _entry(_id=literal), False, why)
    for field in HARMLESS:
        for name, literal in (
            ("null", "null"),
            ("number", "7"),
            ("text", '"x"'),
            ("empty_list", "[]"),
            ("list", "[7, null, {}, []]"),
            ("empty_object", "{}"),
            ("true", "true"),
            ("long_text", '"' + "x" * 1_001 + '"'),
        ):
            changed = _entry(**{field: literal})
            yield EntryCase(f"{field}:{name}", changed, True, "not among the reasons")
    yield EntryCase(
        "number_as_key",
        Entry("7", text({**GUEST, "_id": 7}).encode()),
        False,
        "no text",
    )
    for name, literal, expect, why in SHORT_TEXT:
        if literal.startswith('"') and "\\" not in literal:
            key = literal.strip('"')
            document = text({**GUEST, "_id": key}).encode()
            usable = expect == ACCEPTED
            yield EntryCase(f"key:{name}", Entry(key, document), usable, why)


CASES: tuple[EntryCase, ...] = tuple(_cases())
