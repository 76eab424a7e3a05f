"""How the dictionaries change over time."""

import random
from collections.abc import Callable
from decimal import Decimal
from math import ceil
from typing import NamedTuple

from palate.simulate import words
from palate.simulate.scenario import Scenario
from palate.simulate.world import Dish, Guest, Restaurant, World

_FEWEST_DISHES = 3
_WITHOUT_CATEGORY = 1 / 10
_CATEGORIES = list(words.DISHES)


class Change(NamedTuple):
    """A change to come: ``make`` changes the world and returns the entry's id."""

    at: int
    make: Callable[[int], str]


class Changes:
    """Makes changes in a world, drawn from ``rnd``."""

    def __init__(self, world: World, scenario: Scenario, rnd: random.Random) -> None:
        self._world = world
        self._scenario = scenario
        self._rnd = rnd
        self._kinds: list[tuple[float, Callable[[Restaurant, Dish], None]]] = [
            (scenario.renamed, self._rename),
            (scenario.moved, self._move),
            (scenario.repriced, self._reprice),
            (scenario.left, self._leave),
        ]

    def plan(self, first: int, last: int) -> list[Change]:
        """Return the changes of a history, the earliest first.

        The scenario's shares are shares of the dishes on all menus, and of the users.
        """
        rnd, planned = self._rnd, []
        dishes = [
            (restaurant, dish)
            for restaurant in self._world.restaurants
            for dish in restaurant.menu
        ]
        for share, kind in self._kinds:
            for restaurant, dish in rnd.sample(dishes, ceil(share * len(dishes))):
                make = self._dish_change(kind, restaurant, dish)
                planned.append(Change(rnd.randint(first, last), make))
        guests = self._world.guests
        for guest in rnd.sample(
            guests, ceil(self._scenario.renamed_users * len(guests))
        ):
            make = self._guest_change(guest)
            planned.append(Change(rnd.randint(first, last), make))
        return sorted(planned, key=lambda change: change.at)

    def now(self, at: int) -> list[str]:
        """Make changes, each by the chance of its share; return the entries' ids."""
        rnd, changed = self._rnd, []
        for share, kind in self._kinds:
            if rnd.random() < share:
                restaurant = rnd.choice(self._world.restaurants)
                dish = rnd.choice(restaurant.menu)
                changed.append(self._dish_change(kind, restaurant, dish)(at))
        if rnd.random() < self._scenario.renamed_users:
            changed.append(self._guest_change(rnd.choice(self._world.guests))(at))
        return changed

    def _dish_change(
        self,
        kind: Callable[[Restaurant, Dish], None],
        restaurant: Restaurant,
        dish: Dish,
    ) -> Callable[[int], str]:
        def make(at: int) -> str:
            kind(restaurant, dish)
            dish.changed()
            self._world.touch(restaurant.id, at)
            return restaurant.id

        return make

    def _guest_change(self, guest: Guest) -> Callable[[int], str]:
        def make(at: int) -> str:
            guest.name, guest.login = words.person(self._rnd)
            self._world.touch(guest.id, at)
            return guest.id

        return make

    def _rename(self, _: Restaurant, dish: Dish) -> None:
        word = self._rnd.choice(("новый", "острый", "от шефа", "двойной", "мини"))
        dish.name = f"{dish.name.split(', ')[0]}, {word}"

    def _move(self, _: Restaurant, dish: Dish) -> None:
        others = [name for name in _CATEGORIES if name != dish.category]
        lost = self._rnd.random() < _WITHOUT_CATEGORY
        dish.category = None if lost else self._rnd.choice(others)

    def _reprice(self, _: Restaurant, dish: Dish) -> None:
        price = Decimal(self._rnd.randrange(160, 2400, 5)) / 2
        dish.price = int(price) if price == int(price) else price

    def _leave(self, restaurant: Restaurant, dish: Dish) -> None:
        if len(restaurant.menu) <= _FEWEST_DISHES or dish not in restaurant.menu:
            return
        restaurant.menu.remove(dish)
        restaurant.offer = [
            other if other is not dish else self._rnd.choice(restaurant.menu)
            for other in restaurant.offer
        ]


def late_ids(world: World, share: float) -> set[str]:
    """Return whose entries turn up late: a share of the users and of the restaurants.

    A world of one seed has always the same; at any share above 0 one of each kind.
    """
    rnd = random.Random(f"{world.seed}/late")
    users = sorted(guest.id for guest in world.guests)
    restaurants = sorted(restaurant.id for restaurant in world.restaurants)
    return {
        *rnd.sample(users, ceil(share * len(users))),
        *rnd.sample(restaurants, ceil(share * len(restaurants))),
    }
