from itertools import islice, pairwise

from palate.simulate.generate import trickle
from palate.simulate.model import Arrival, Message
from palate.simulate.scenario import Scenario
from palate.simulate.world import World
from tests.unit.simulate.orders import line, version

START = 1_700_000_000


def test_orders_come_at_an_even_rate():
    events = list(trickle(World(7), Scenario(), 5, START, orders=4))
    assert [event.at - START for event in events] == [0, 12, 24, 36]


def test_it_never_ends_by_itself():
    assert len(list(islice(trickle(World(7), Scenario(), 5, START), 500))) == 500


def test_same_start_gives_the_same_bytes():
    first, second = (
        list(trickle(World(7), Scenario.demo(), 600, START, orders=200))
        for _ in range(2)
    )
    assert first == second


def test_events_come_in_time_and_statuses_follow():
    scenario = Scenario(versions=1, late=0.5, renamed=0.5)
    events = list(trickle(World(7), scenario, 60, START, orders=20))
    assert all(first.at <= second.at for first, second in pairwise(events))
    sent = [one for one in events if isinstance(one, Message)]
    paths = {one.version.order_id: [] for one in sent}
    for one in sent:
        paths[one.version.order_id].append(one.version.status)
        assert one.version.version_dt == one.version.sent_dt == one.version.date
    assert {tuple(path) for path in paths.values()} == {
        ("OPEN", "COOKING", "DELIVERING", "CLOSED"),
        ("OPEN", "COOKING", "CANCELLED"),
    }


def test_entry_of_a_new_guest_turns_up_after_its_order():
    events = list(trickle(World(7), Scenario(late=1), 60, START, orders=3))
    ordered = {
        one.version.user_id: one.at for one in events if isinstance(one, Message)
    }
    turned_up = {one.entry.id: one.at for one in events if isinstance(one, Arrival)}
    assert ordered.keys() == turned_up.keys()
    assert all(ordered[user] < turned_up[user] for user in ordered)


def test_earlier_orders_are_still_corrected_and_cancelled():
    world = World(7)
    user, cafe = world.guests[0].id, world.restaurants[0].id
    recent = [
        version(line(), order_id=number, user=user)._replace(restaurant_id=cafe)
        for number in range(20)
    ]
    scenario = Scenario(corrected=0.5, cancelled=0.5)
    events = trickle(world, scenario, 60, START, orders=10, recent=recent)
    revised = [one.version for one in events if one.version.order_id < 20]
    assert len(revised) == 10
    assert {one.status for one in revised} == {"CLOSED", "CANCELLED"}
    assert all(one.version_dt > recent[0].version_dt for one in revised)
