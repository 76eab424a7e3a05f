"""Hypothesis strategies: small histories, and ways to cut one into batches.

``histories()`` gives a ``History`` on the contract's two topics with two partitions
each: orders in several versions, ties, duplicates, refused messages, dictionary
entries that come late, contradict each other or are unusable. ``batches(history)``
gives the same in pieces, each partition and the entries in their order. ``rules()``
gives tag rules that name what those histories name, and some of them nothing.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from tests.model import pools
from tests.model.entry_strategies import entries
from tests.model.history import (
    ENRICHED_TOPIC,
    FORMS,
    RAW_TOPIC,
    Batch,
    Form,
    History,
    Message,
    Rule,
)
from tests.model.order_strategies import changed, orders, refused_values, written
from tests.model.orders import ORIGIN_HEADER

PARTITIONS = 2

Draw = Callable[[st.SearchStrategy[Any]], Any]


@st.composite
def histories(
    draw: Draw, max_messages: int = 12, max_entries: int = 8, epochs: int = 1
) -> History:
    """Draw a history.

    Offsets of a partition are 0, 1, 2, ... in each epoch.

    :param epochs: more than 1 lets topics be deleted and created anew
    """
    messages: list[Message] = []
    told: dict[Form, list[dict[str, Any]]] = {form: [] for form in Form}
    # An end is drawn before each message, since so the failing ones shrink best.
    while len(messages) < max_messages and draw(pools.MORE):
        messages.append(draw(_next_message(messages, told, epochs)))
    return History(tuple(messages), draw(entries(max_entries)))


@st.composite
def batches(draw: Draw, history: History) -> tuple[Batch, ...]:
    """Draw a cut of the history into batches; some may be empty.

    Messages of one partition stay in the order of their epochs and offsets, and
    entries in theirs; all else is interleaved at will.
    """
    lanes: dict[Any, list[Any]] = {}
    for message in sorted(history.messages, key=lambda m: m.position):
        lanes.setdefault((message.topic, message.partition), []).append(message)
    lanes["entries"] = list(history.entries)

    turns = draw(st.permutations([lane for lane in lanes for _ in lanes[lane]]))
    left = {lane: iter(events) for lane, events in lanes.items()}
    events = [next(left[lane]) for lane in turns]

    cuts = draw(st.lists(st.integers(0, len(events)), max_size=6))
    bounds = [0, *sorted(cuts), len(events)]
    return tuple(_batch(events[start:end]) for start, end in pairwise(bounds))


def rules() -> st.SearchStrategy[Rule]:
    """Draw a tag rule."""
    names = {"product": pools.NAMES, "category": pools.CATEGORIES}
    return st.sampled_from(sorted(names)).flatmap(
        lambda kind: st.builds(
            Rule,
            kind=st.just(kind),
            name=pools.mostly(names[kind], "Солянка"),
            threshold=pools.mostly(st.integers(1, 2), 3, 2**40),
            tag=st.sampled_from(["a", "b", "Любитель пиццы"]),
            active=pools.mostly(st.just(True), False),
        )
    )


@st.composite
def _next_message(
    draw: Draw,
    messages: list[Message],
    told: dict[Form, list[dict[str, Any]]],
    epochs: int,
) -> Message:
    topic = draw(st.sampled_from([RAW_TOPIC, RAW_TOPIC, ENRICHED_TOPIC]))
    form = FORMS[topic]
    lane = (
        topic,
        draw(st.integers(0, epochs - 1)),
        draw(st.integers(0, PARTITIONS - 1)),
    )
    alike = [message for message in messages if FORMS[message.topic] is form]
    value = draw(_values(form, told[form], alike))
    is_own = draw(st.integers(0, 19)) == 13
    return Message(
        *lane,
        offset=sum(1 for message in messages if message.position[:3] == lane),
        broker_dt=draw(pools.BROKER_TIMES),
        value=value,
        headers=((ORIGIN_HEADER, b"1"),) if is_own else (),
    )


@st.composite
def _values(
    draw: Draw,
    form: Form,
    told: list[dict[str, Any]],
    messages: list[Message],
) -> bytes | None:
    """Draw a value; ``told`` has the orders of this form so far, and gets new ones."""
    kinds = ["new", "new", "new", "refused"]
    if told:
        kinds += ["version"] * 4
    if messages:
        kinds += ["duplicate", "duplicate"]
    kind = draw(st.sampled_from(kinds))
    value: bytes | None
    if kind == "duplicate":
        value = draw(st.sampled_from(messages)).value
        return value
    if kind == "refused":
        value = draw(refused_values(form))
        return value
    if kind == "version":
        order = draw(changed(form, draw(st.sampled_from(told))))
    else:
        order = draw(orders(form))
    told.append(order)
    value = draw(written(order))
    return value


def _batch(events: list[Any]) -> Batch:
    return Batch(
        tuple(event for event in events if isinstance(event, Message)),
        tuple(event for event in events if not isinstance(event, Message)),
    )
