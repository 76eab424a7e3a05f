"""Hypothesis strategies for dictionary entries, usable or not, in staged order."""

from collections.abc import Callable
from functools import cache
from typing import Any

from hypothesis import strategies as st

from tests.model import pools
from tests.model.history import Entry
from tests.model.render import Literal, text

Draw = Callable[[st.SearchStrategy[Any]], Any]
Json = dict[str, Any]

# What makes an entry count as missing: (field, JSON text).
_BREAKING = (
    ("_id", '"another"'),
    ("_id", "1"),
    ("name", "null"),
    ("name", "7"),
    ("update_ts_utc", "null"),
    ("update_ts_utc", '"2023-02-29 00:00:00"'),
    ("update_ts_utc", '"2023-08-01T10:00:00"'),
    ("extra", r'"\ud83d"'),
)
_NO_ENTRIES = (b"", b"Redis", b"null", b"[]", b"\xff")

_PRICES = st.sampled_from(["180", "180", "200"]).map(Literal)
_NO_LINES: tuple[Any, ...] = (
    *(7, None, [], {}),
    {"_id": "ghost"},
    {"_id": "ghost", "name": None},
    {"_id": "", "name": "ghost", "category": "ghost"},
)


@st.composite
def entries(draw: Draw, max_entries: int) -> tuple[Entry, ...]:
    """Draw entries; their order counts where they contradict each other."""
    drawn: list[Entry] = []
    told: list[Json] = []
    while len(drawn) < max_entries and draw(pools.MORE):
        kinds = ["new", "new", "new", "unusable"]
        if told:
            kinds += ["contradicting", "contradicting", "again", "respelled"]
        kind = draw(st.sampled_from(kinds))
        if kind == "unusable":
            drawn.append(draw(_unusable()))
            continue
        if kind in ("again", "respelled"):
            document = draw(st.sampled_from(told))
        else:
            document = draw(_documents())
        if kind == "contradicting":
            # Other content of one id at one time: the one staged later counts, even
            # where one has a menu and the other none.
            other = draw(st.sampled_from(told))
            document |= {name: other[name] for name in ("_id", "update_ts_utc")}
        told.append(document)
        entry = draw(_written(document))
        if kind == "respelled":
            # The same to jsonb, so it is not staged again.
            entry = Entry(entry.id, entry.value.replace(b"180", b"180.00"))
        drawn.append(entry)
    return tuple(drawn)


@st.composite
def _written(draw: Draw, document: Json) -> Entry:
    escaped, blank = draw(st.booleans()), draw(st.sampled_from(["", " "]))
    value = text(document, escaped=escaped, blank=blank).encode()
    return Entry(document["_id"], value)


@st.composite
def _unusable(draw: Draw) -> Entry:
    document = draw(_documents())
    entry_id = document["_id"]
    if draw(st.booleans()):
        return Entry(entry_id, draw(st.sampled_from(_NO_ENTRIES)))
    field, literal = draw(st.sampled_from(_BREAKING))
    return Entry(entry_id, text({**document, field: Literal(literal)}).encode())


@cache  # to build a strategy takes longer than to draw from it
def _documents() -> st.SearchStrategy[Json]:
    return pools.weighted((4, _restaurants()), (1, _guests()))


def _guests() -> st.SearchStrategy[Json]:
    return pools.objects(
        _id=pools.USERS,
        name=pools.NAMES,
        login=pools.mostly(pools.NAMES, None, pools.MISSING, 5, "x" * 1_001),
        update_ts_utc=pools.TIMES,
    )


def _restaurants() -> st.SearchStrategy[Json]:
    line = pools.objects(
        _id=pools.DISHES,
        name=pools.NAMES,
        price=_PRICES,
        category=pools.mostly(pools.CATEGORIES, None, pools.MISSING, 5, "x" * 1_001),
    )
    return pools.objects(
        _id=pools.RESTAURANTS,
        name=pools.NAMES,
        update_ts_utc=pools.TIMES,
        menu=pools.mostly(
            st.lists(pools.mostly(line, *_NO_LINES), min_size=1, max_size=4), []
        ),
    )
