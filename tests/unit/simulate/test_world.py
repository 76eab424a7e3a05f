import pytest

from palate.simulate.generate import generate, initial_entries
from palate.simulate.model import Arrival, Entry
from palate.simulate.scenario import Scenario
from palate.simulate.world import World

UNTIL = 1_700_000_000
CHANGES = Scenario(late=0.2, renamed=0.5, moved=0.5, left=0.2, renamed_users=0.5)


def test_world_is_restored_from_the_entries_that_were_written():
    world = World(7)
    written = initial_entries(world, CHANGES, UNTIL)
    events = generate(world, CHANGES, 200, UNTIL)
    written += [one.entry for one in events if isinstance(one, Arrival)]

    again = World(7)
    again.restore(written)

    now = [
        entry.id for entry in again.dictionary_entries(0, 0) if entry.id in world.dated
    ]
    assert [again.entry(id_) for id_ in now] == [world.entry(id_) for id_ in now]
    assert again.written == {entry.id for entry in written}


def test_guest_who_came_later_is_restored():
    world = World(7)
    world.restore([Entry("new", "2023-08-01 10:00:00", "Новый Гость", "new", None)])
    assert world.entry("new").name == "Новый Гость"
    assert len(world.guests) == 101


def test_sizes_are_as_asked():
    world = World(1, users=20, restaurants=9, dishes=400)
    assert (len(world.guests), len(world.restaurants)) == (20, 9)
    dishes = {dish.product_id for one in world.restaurants for dish in one.menu}
    assert len(dishes) == 400
    assert len({one.name for one in world.restaurants}) == 9


@pytest.mark.parametrize(
    "sizes", [{"users": 0}, {"restaurants": 0}, {"restaurants": 5, "dishes": 4}]
)
def test_world_too_small_is_refused(sizes):
    with pytest.raises(ValueError, match="A world needs"):
        World(7, **sizes)
