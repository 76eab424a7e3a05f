"""What generated histories are worth: they hold, collide, and obey identities."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from tests.model.dictionary import usable_entries
from tests.model.history import FORMS, History, Message
from tests.model.oracle import key, newest_versions, warehouse
from tests.model.orders import Refused, Version, read_message
from tests.model.strategies import batches, histories

SLOWLY = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def versions(history: History) -> list[Version]:
    outcomes = [read_message(m, FORMS[m.topic]) for m in history.messages]
    return [outcome for outcome in outcomes if isinstance(outcome, Version)]


@SLOWLY
@given(st.data())
def test_batches_are_the_history_in_pieces(data: st.DataObject) -> None:
    history = data.draw(histories(epochs=2))
    cut = data.draw(batches(history))
    messages = [message for batch in cut for message in batch.messages]
    assert sorted(messages, key=position) == sorted(history.messages, key=position)
    assert [entry for batch in cut for entry in batch.entries] == list(history.entries)
    lanes: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for message in messages:
        lane = lanes.setdefault((message.topic, message.partition), [])
        lane.append((message.epoch, message.offset))
    assert all(lane == sorted(lane) for lane in lanes.values())


@SLOWLY
@given(histories())
def test_offsets_have_no_gaps(history: History) -> None:
    lanes: dict[tuple[str, int, int], list[int]] = {}
    for message in history.messages:
        lanes.setdefault(message.position[:3], []).append(message.offset)
    assert all(sorted(lane) == list(range(len(lane))) for lane in lanes.values())


@SLOWLY
@given(st.data())
def test_order_of_messages_means_nothing(data: st.DataObject) -> None:
    history = data.draw(histories())
    shuffled = data.draw(st.permutations(history.messages))
    assert warehouse(History(tuple(shuffled), history.entries)) == warehouse(history)


@SLOWLY
@given(histories())
def test_marts_follow_from_the_views(history: History) -> None:
    tables = warehouse(history)
    closed = {row[1]: row[3] for row in tables["dds.v_order"] if row[5] == "CLOSED"}
    by_product: dict[tuple[object, object], Counter[str]] = {}
    by_category: dict[tuple[object, object], Counter[str]] = {}
    orders: dict[tuple[object, object], set[int]] = {}
    for _, order, product, _, category, quantity, price in tables["dds.v_order_item"]:
        if order not in closed:
            continue
        user = key(closed[order])
        for counters, what in ((by_product, product), (by_category, category)):
            if what is not None:
                pair = (user, key(what))
                sums = counters.setdefault(pair, Counter())
                sums["pieces"] += quantity
                sums["hundred_thousandths"] += int(price * 100_000) * quantity
                orders.setdefault(pair, set()).add(order)
    for mart, counters in (
        ("cdm.user_product_counters", by_product),
        ("cdm.user_category_counters", by_category),
    ):
        assert {(row[0], row[1]): row[3:] for row in tables[mart]} == {
            pair: (
                len(orders[pair]),
                sums["pieces"],
                Decimal(sums["hundred_thousandths"]) / 100_000,
            )
            for pair, sums in counters.items()
        }


@SLOWLY
@given(histories())
def test_links_and_satellites_have_their_hubs(history: History) -> None:
    tables = warehouse(history)
    hubs = {
        noun: {row[0] for row in tables[f"dds.h_{noun}"]}
        for noun in ("user", "restaurant", "product", "category", "order")
    }
    for table in tables:
        kind, *nouns = table.removeprefix("dds.").split("_")
        if kind == "l":
            for row in tables[table]:
                assert all(k in hubs[n] for k, n in zip(row, nouns, strict=True)), table
        if kind == "s":
            assert all(row[0] in hubs[nouns[0]] for row in tables[table]), table


@SLOWLY
@given(histories())
def test_nobody_sees_a_ghost(history: History) -> None:
    tables = warehouse(history)
    for hub in ("user", "product", "category"):
        assert (key("ghost"), "ghost") not in tables[f"dds.h_{hub}"]


def position(message: Message) -> tuple[str, int, int, int]:
    return message.position


def tied_to_the_position(history: History) -> bool:
    ranks = Counter((v.order_id, v.rank[:3]) for v in versions(history))
    return any(count > 1 for count in ranks.values())


def changed_guest(history: History) -> bool:
    guests: dict[int, set[str]] = {}
    for version in versions(history):
        guests.setdefault(version.order_id, set()).add(version.user_id)
    return any(len(users) > 1 for users in guests.values())


def dish_twice_in_an_order(history: History) -> bool:
    return any(
        count > 1
        for version in newest_versions(versions(history))
        for count in Counter(line.product_id for line in version.lines).values()
    )


def order_in_both_forms(history: History) -> bool:
    forms = {(v.order_id, v.message.topic) for v in versions(history)}
    return any(count > 1 for count in Counter(o for o, _ in forms).values())


def cancelled_after_closed(history: History) -> bool:
    closed = {v.order_id for v in versions(history) if v.status == "CLOSED"}
    newest = newest_versions(versions(history))
    return any(v.order_id in closed and v.status == "CANCELLED" for v in newest)


def two_contents_of_one_time(history: History) -> bool:
    entries = usable_entries(history.entries)
    times = Counter((entry.id, entry.version_dt) for entry in entries)
    return any(count > 1 for count in times.values())


def moved_dish(history: History) -> bool:
    tables = warehouse(history)
    in_menus = {
        (line.product_id, line.category)
        for entry in usable_entries(history.entries)
        for line in entry.menu or ()
    }
    counted = {(row[2], row[4]) for row in tables["dds.v_order_item"]}
    return any(
        len({name for dish, name in in_menus if dish == product}) > 1
        for product, name in counted & in_menus
        if name is not None
    )


def empty_category_counted(history: History) -> bool:
    return any(row[2] == "" for row in warehouse(history)["cdm.user_category_counters"])


def same_bytes_twice(history: History) -> bool:
    return any(
        count > 1
        for count in Counter(v.message.value for v in versions(history)).values()
    )


def refused_own_message(history: History) -> bool:
    outcomes = [read_message(m, FORMS[m.topic]) for m in history.messages]
    return any(
        isinstance(outcome, Refused) and outcome.reasons == {"own_message"}
        for outcome in outcomes
    )


@pytest.mark.parametrize(
    "condition",
    [
        tied_to_the_position,
        changed_guest,
        dish_twice_in_an_order,
        order_in_both_forms,
        cancelled_after_closed,
        two_contents_of_one_time,
        moved_dish,
        empty_category_counted,
        same_bytes_twice,
        refused_own_message,
    ],
    ids=lambda condition: condition.__name__,
)
def test_histories_collide(condition: Callable[[History], bool]) -> None:
    find(
        histories(),
        condition,
        settings=settings(
            max_examples=2_000,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        ),
    )
