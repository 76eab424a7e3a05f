import json
from collections import Counter
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from palate.simulate.clock import to_seconds, to_text
from palate.simulate.generate import generate, initial_entries
from palate.simulate.model import Arrival, Message, Position
from palate.simulate.scenario import Scenario
from palate.simulate.truth import Truth
from palate.simulate.world import World
from tests.model import oracle, tables
from tests.model.history import Entry, History
from tests.model.history import Message as Staged
from tests.unit.simulate.orders import ENRICHED, RAW

UNTIL = to_seconds("2023-08-12 06:07:15")
HARD = Scenario(**{item.name: 0.3 for item in fields(Scenario)})


def history(scenario: Scenario, orders: int = 300, seed: int = 7, **sizes: int):
    return list(generate(World(seed, **sizes), scenario, orders, UNTIL))


def messages(scenario: Scenario, orders: int = 300) -> list[Message]:
    return [one for one in history(scenario, orders) if isinstance(one, Message)]


@pytest.mark.parametrize("scenario", [Scenario(), HARD])
def test_same_seed_gives_the_same_bytes(scenario):
    assert history(scenario) == history(scenario)
    assert initial_entries(World(7), scenario, UNTIL) == initial_entries(
        World(7), scenario, UNTIL
    )


def test_another_seed_gives_another_world():
    ids = {one.value for seed in (7, 8) for one in history(Scenario(), 10, seed)}
    assert len(ids) == 20


def test_another_run_gives_other_orders_of_the_same_world():
    first, second = (
        list(generate(World(7), Scenario(), 10, UNTIL, run=run)) for run in (1, 2)
    )
    assert [one.value for one in first] != [one.value for one in second]


def test_message_looks_like_the_contracts():
    told = json.loads(messages(Scenario(), 1)[0].value)
    assert list(told) == ["object_id", "object_type", "sent_dttm", "payload"]
    assert list(told["payload"]) == [
        "restaurant",
        "date",
        "user",
        "order_items",
        "bonus_payment",
        "cost",
        "payment",
        "bonus_grant",
        "statuses",
        "final_status",
        "update_ts",
    ]
    assert list(told["payload"]["order_items"][0]) == [
        "id",
        "name",
        "price",
        "quantity",
    ]
    dated = [one["dttm"] for one in told["payload"]["statuses"]]
    assert dated == sorted(dated, reverse=True)


def test_world_has_the_size_of_the_real_one():
    entries = initial_entries(World(7), Scenario(), UNTIL)
    menus = [entry.menu for entry in entries if entry.menu is not None]
    dishes = {line.product_id for menu in menus for line in menu}
    by_category = Counter(
        {line.product_id: line.category for menu in menus for line in menu}.values()
    )
    assert (len(entries) - len(menus), len(menus), len(dishes)) == (100, 4, 133)
    assert len(by_category) == 10
    assert by_category[""] == 1


def test_entry_is_json_of_the_contracts_form():
    entries = initial_entries(World(7), Scenario(), UNTIL)
    user = next(entry for entry in entries if entry.menu is None)
    cafe = next(entry for entry in entries if entry.menu is not None)
    assert list(json.loads(user.to_json())) == [
        "_id",
        "name",
        "login",
        "update_ts_utc",
    ]
    restaurant = json.loads(cafe.to_json())
    assert list(restaurant) == ["_id", "name", "update_ts_utc", "menu"]
    assert list(restaurant["menu"][0]) == ["_id", "name", "price", "category"]


def test_plain_history_has_one_message_an_order():
    sent = messages(Scenario())
    assert len({one.version.order_id for one in sent}) == len(sent) == 300


@pytest.mark.parametrize("scenario", [Scenario(), HARD])
def test_events_come_in_time_and_end_in_time(scenario):
    events = history(scenario)
    assert all(first.at <= second.at for first, second in pairwise(events))
    assert events[0].at >= UNTIL - 7 * 86400
    assert events[-1].at <= UNTIL
    for event in events:
        if isinstance(event, Arrival):
            assert event.entry.version_dt <= to_text(UNTIL)
        elif event.version is not None:
            assert event.version.version_dt <= to_text(UNTIL)
            assert event.version.date <= event.version.version_dt


def test_lunch_and_dinner_are_peaks():
    by_hour = Counter(one.version.date[11:13] for one in messages(Scenario(), 3000))
    assert min(by_hour["13"], by_hour["19"]) > 2 * max(by_hour["04"], by_hour["16"])


def test_guests_differ_in_appetite_and_have_favourites():
    sent = messages(Scenario(), 3000)
    by_guest = Counter(one.version.user_id for one in sent)
    counts = sorted(by_guest.values())
    assert counts[-1] > 5 * counts[len(counts) // 2 - 25]
    hungriest = by_guest.most_common(1)[0][0]
    dishes = Counter(
        line.product_id
        for one in sent
        if one.version.user_id == hungriest
        for line in one.version.lines
    )
    assert dishes.most_common(1)[0][1] > 3 * dishes.total() / len(dishes)


# Each switch alone, at 1: what must be seen then, and what mustn't without it.
def _versions_of_first(events):
    first = next(e.version.order_id for e in events if isinstance(e, Message))
    return [
        e.version
        for e in events
        if isinstance(e, Message) and e.version and e.version.order_id == first
    ]


def _entries(events):
    return [event.entry for event in events if isinstance(event, Arrival)]


SEEN = {
    "versions": lambda e: (
        [one.status for one in sorted(_versions_of_first(e), key=lambda v: v.date)]
        == ["OPEN", "COOKING", "DELIVERING", "CLOSED"]
    ),
    "cancelled": lambda e: (
        {one.status for one in _versions_of_first(e)} == {"CLOSED", "CANCELLED"}
    ),
    "corrected": lambda e: len({one.lines for one in _versions_of_first(e)}) == 2,
    "changed_guest": lambda e: len({one.user_id for one in _versions_of_first(e)}) == 2,
    "ties": lambda e: (
        len(_versions_of_first(e)) == 2
        and len({one.version_dt for one in _versions_of_first(e)}) == 1
    ),
    "duplicates": lambda e: len({m.value for m in e}) * 2 == len(e),
    "out_of_order": lambda e: any(
        to_seconds(m.version.sent_dt) - to_seconds(m.version.version_dt) > 3600
        for m in e
    ),
    "empty": lambda e: not any(m.version.lines for m in e),
    "enriched": lambda e: {m.topic for m in e} == {ENRICHED},
    "junk": lambda e: sum(m.reason is not None for m in e) * 2 == len(e),
    "late": lambda e: len(_entries(e)) == 104,
    "renamed": lambda e: any(", " in x.name for n in _entries(e) for x in n.menu),
    "moved": lambda e: any(x.category is None for n in _entries(e) for x in n.menu),
    "repriced": lambda e: any(x.price % 10 for n in _entries(e) for x in n.menu),
    "left": lambda e: min((len(n.menu) for n in _entries(e)), default=0) == 3,
    "renamed_users": lambda e: all(n.menu is None for n in _entries(e)) and _entries(e),
}


@pytest.mark.parametrize("switch", [item.name for item in fields(Scenario)])
def test_switch_alone_makes_what_it_says(switch):
    assert SEEN[switch](history(Scenario(**{switch: 1.0})))


@pytest.mark.parametrize("switch", [item.name for item in fields(Scenario)])
def test_switch_makes_nothing_unless_it_is_on(switch):
    assert not SEEN[switch](history(Scenario()))


def test_demo_turns_everything_on():
    assert all(getattr(Scenario.demo(), item.name) > 0 for item in fields(Scenario))


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_share_beyond_its_bounds_is_refused(share):
    with pytest.raises(ValueError, match="junk"):
        Scenario(junk=share)


def test_late_entries_are_left_out_and_turn_up():
    scenario = Scenario(late=0.1)
    here = {one.id for one in initial_entries(World(7), scenario, UNTIL)}
    coming = {one.id for one in _entries(history(scenario))}
    assert (len(here), len(coming), here & coming) == (93, 11, set())


def test_no_two_contents_of_an_entry_share_a_time():
    entries = initial_entries(World(7), HARD, UNTIL) + _entries(history(HARD))
    contents = {}
    for entry in entries:
        assert contents.setdefault((entry.id, entry.version_dt), entry) == entry


def _broker_ms(number: int) -> int:
    # Ten messages share a time, so that positions have to decide, too.
    return (UNTIL + 60 + number // 10) * 1000


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("scenario", [Scenario.demo(), HARD])
def test_truth_equals_what_the_model_reads_from_the_bytes(seed, scenario):
    world, known = World(seed, users=10, dishes=20), Truth()
    entries = initial_entries(world, scenario, UNTIL)
    reasons, staged, offsets = {}, [], Counter()
    for number, event in enumerate(generate(world, scenario, 150, UNTIL)):
        if isinstance(event, Arrival):
            entries.append(event.entry)
            continue
        partition = number % 3
        offset = offsets[event.topic, partition]
        offsets[event.topic, partition] += 1
        broker_ms = _broker_ms(number)
        known.add(event, Position(event.topic, partition, offset), broker_ms)
        broker_dt = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=broker_ms)
        staged.append(Staged(event.topic, 0, partition, offset, broker_dt, event.value))
        if event.reason is not None:
            reasons[event.topic, 0, partition, offset] = frozenset({event.reason})
    for entry in entries:
        known.add_entry(entry)
    read = oracle.warehouse(
        History(
            messages=tuple(staged),
            entries=tuple(Entry(one.id, one.to_json().encode()) for one in entries),
        )
    )
    rejected = {tuple(row[:4]): row[4] for row in read[tables.REJECTED]}
    assert rejected == reasons
    assert known.product_counters() == read["cdm.user_product_counters"]
    assert known.category_counters() == read["cdm.user_category_counters"]
    assert known.product_counters()
    assert {row[0] for row in rejected} <= {RAW, ENRICHED}
