"""Whole runs of the order service: a history at once, or a trickle."""

import random
from collections.abc import Iterator, Sequence
from itertools import accumulate, count

from palate.simulate.changes import Change, Changes, late_ids
from palate.simulate.clock import DAY, HOUR, MINUTE
from palate.simulate.messages import Topics
from palate.simulate.model import Arrival, Entry, Event, Version
from palate.simulate.orders import FIRST_ORDER_ID, HISTORY, LIVE, Orders
from palate.simulate.scenario import Scenario
from palate.simulate.world import World

# How many orders come in each hour of a day: peaks at lunch and dinner.
_RHYTHM = [3, 2, 1, 1, 1, 1, 3, 6, 9, 9, 10, 16, 26, 26, 18, 12]
_RHYTHM += [12, 16, 26, 32, 30, 22, 13, 7]
_LATE_GUEST_DELAY = (10, 90)


def initial_entries(
    world: World, scenario: Scenario, until: int, days: float = 7
) -> list[Entry]:
    """Return the entries in the dictionaries before a history is sent.

    They are dated around the beginning of the history, so that some orders are older
    than the first known entry. Those that turn up late are left out.

    :param until: when the history will end, in seconds since 1970 UTC
    """
    span = int(days * DAY)
    dated = world.dictionary_entries(until - span - 2 * DAY, until - span * 3 // 4)
    late = late_ids(world, scenario.late) - world.written
    return [entry for entry in dated if entry.id not in late]


def generate(
    world: World,
    scenario: Scenario,
    orders: int,
    until: int,
    days: float = 7,
    topics: Topics | None = None,
    first_order_id: int = FIRST_ORDER_ID,
    run: int = 1,
) -> Iterator[Event]:
    """Generate a history: its messages and its changes of the dictionaries, in order.

    It changes the world. The events follow from the arguments alone.

    :param orders: how many orders; there can be more messages
    :param until: when it ends, in seconds since 1970 UTC; nothing is later
    :param run: another number gives another history of the same world
    """
    rnd = random.Random(f"{world.seed}/history/{run}")
    span = int(days * DAY)
    first, last = until - span, until - min(3 * HOUR, span // 2)
    service = Orders(
        world,
        scenario,
        rnd,
        HISTORY,
        topics or Topics(),
        first_id=first_order_id,
        until=until,
    )
    here = {entry.id for entry in initial_entries(world, scenario, until, days)}
    late = sorted(set(world.dated) - here)
    coming = [(rnd.randint(first + span // 10, last), id_) for id_ in late]
    plan = Changes(world, scenario, rnd).plan(first + span // 4 + 1, last)
    dictionaries = _dictionaries(world, coming, plan)
    upcoming = next(dictionaries, None)
    for at in _times(rnd, orders, first, last):
        while upcoming and upcoming.at <= at:
            service.push(upcoming)
            upcoming = next(dictionaries, None)
        yield from service.due(at - 1)
        service.place(at)
    if upcoming:
        service.push(upcoming)
    for arrival in dictionaries:
        service.push(arrival)
    yield from service.due()


def trickle(
    world: World,
    scenario: Scenario,
    per_minute: float,
    start: int,
    orders: int | None = None,
    recent: Sequence[Version] = (),
    topics: Topics | None = None,
    first_order_id: int = FIRST_ORDER_ID,
    run: int = 1,
) -> Iterator[Event]:
    """Generate orders at an even rate from ``start`` on, and their later events.

    Events come in the order of their times; the caller waits for these.

    :param orders: how many; without, it never ends
    :param recent: versions of another run that may still be corrected or cancelled
    """
    rnd = random.Random(f"{world.seed}/live/{run}")
    service = Orders(
        world, scenario, rnd, LIVE, topics or Topics(), first_id=first_order_id
    )
    changes = Changes(world, scenario, rnd)
    revisions = scenario.cancelled + scenario.corrected
    known = {guest.id for guest in world.guests}
    coming: dict[str, int] = {}
    old = [version for version in recent if version.user_id in known]
    for number in count() if orders is None else range(orders):
        at = start + int(number * MINUTE / per_minute)
        for id_ in changes.now(at):
            if coming.get(id_, at) <= at:
                service.push(Arrival(at, world.entry(id_)))
        if rnd.random() < scenario.late:
            guest = world.add_guest(rnd)
            turned_up_at = at + rnd.randint(*_LATE_GUEST_DELAY)
            coming[guest.id] = turned_up_at
            world.touch(guest.id, turned_up_at)
            service.push(Arrival(turned_up_at, world.entry(guest.id)))
            service.place(at, guest)
        else:
            service.place(at)
        if old and rnd.random() < revisions:
            service.revise(old.pop(rnd.randrange(len(old))), at)
        yield from service.due(at)
    yield from service.due()


def _dictionaries(
    world: World, coming: list[tuple[int, str]], plan: list[Change]
) -> Iterator[Arrival]:
    """Make the planned changes and yield the entries, in the order of their times.

    :param coming: when the missing ids turn up
    """
    not_here = {id_ for _, id_ in coming}
    todo = [
        *((at, id_, None) for at, id_ in coming),
        *((at, "", make) for at, make in plan),
    ]
    for at, id_, make in sorted(todo, key=lambda item: item[:2]):
        if make is None:
            not_here.discard(id_)
            yield Arrival(at, world.entry(id_))
        elif (changed := make(at)) not in not_here:
            # Until an entry turns up, nobody can see how it changes.
            yield Arrival(at, world.entry(changed))


def _times(rnd: random.Random, orders: int, first: int, last: int) -> list[int]:
    minutes = range(first, max(last, first + 1), MINUTE)
    weights = accumulate(_RHYTHM[at // HOUR % 24] for at in minutes)
    times = rnd.choices(minutes, cum_weights=list(weights), k=orders)
    return sorted(min(at + rnd.randrange(MINUTE), last) for at in times)
