"""The world that orders: guests with tastes, restaurants with menus."""

import random
from bisect import bisect
from collections.abc import Iterable
from dataclasses import dataclass, field

from palate.simulate import words
from palate.simulate.clock import DAY, to_seconds, to_text
from palate.simulate.model import Entry, Line, MenuLine, Money

MOST_PIECES = 9
_SHARED = 1 / 16  # share of dishes that are on a second menu too
_TASTE_BITS = 7
_GREATEST_APPETITE = 6.0
_FAVOURITES = 6


@dataclass
class Dish:
    """A dish on one menu, as it is now."""

    product_id: str
    name: str
    price: Money
    category: str | None
    lines: tuple[Line, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.changed()

    def changed(self) -> None:
        """Prepare the lines that orders will have, by quantity; call after a change."""
        self.lines = tuple(
            Line(self.product_id, self.name, None, self.price, quantity)
            for quantity in range(MOST_PIECES + 1)
        )


@dataclass
class Restaurant:
    """A restaurant. ``offer`` has a dish for every position that a taste can name."""

    id: str
    name: str
    menu: list[Dish]
    offer: list[Dish] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.offer = self.offer or list(self.menu)


@dataclass
class Guest:
    """A guest. What it likes follows from the world's seed and its id."""

    id: str
    name: str
    login: str | None
    tastes: list[tuple[Restaurant, list[int]]] = field(default_factory=list)


class World:
    """Guests, restaurants and dishes that follow from a seed alone.

    ``dated`` has the time of each id's newest entry in seconds since 1970 UTC,
    ``written`` the ids whose entries an earlier run has written.

    The world changes: dishes are renamed, guests come. To repeat a run, begin with a
    new world of the same seed and sizes.
    """

    def __init__(
        self, seed: int, users: int = 100, restaurants: int = 4, dishes: int = 133
    ) -> None:
        """Make a world.

        :param dishes: all restaurants' dishes together, at least one for each
        :raises ValueError: if a number is too small
        """
        if min(users, restaurants) < 1 or dishes < restaurants:
            raise ValueError(
                "A world needs a user, a restaurant, and a dish for each restaurant: "
                f"got {users} users, {restaurants} restaurants, {dishes} dishes"
            )
        self.seed = seed
        rnd = random.Random(f"{seed}/world")
        self.restaurants = [
            Restaurant(_hex_id(rnd), words.restaurant(number), menu)
            for number, menu in enumerate(_menus(rnd, restaurants, dishes))
        ]
        self.guests: list[Guest] = []
        self.dated: dict[str, int] = {}
        self.written: set[str] = set()
        self._appetites: list[float] = []
        self._by_id: dict[str, Guest | Restaurant] = {
            restaurant.id: restaurant for restaurant in self.restaurants
        }
        for _ in range(users):
            self.add_guest(rnd)

    def pick_guest(self, rnd: random.Random) -> Guest:
        """Return a guest, the hungrier the likelier."""
        appetites = self._appetites
        return self.guests[bisect(appetites, rnd.random() * appetites[-1])]

    def pick_restaurant(
        self, rnd: random.Random, guest: Guest
    ) -> tuple[Restaurant, list[int]]:
        """Return where the guest orders, and the preferred positions in its offer."""
        if not guest.tastes:
            guest.tastes = self._tastes(guest)
        return guest.tastes[rnd.getrandbits(3)]

    def basket(
        self, rnd: random.Random, restaurant: Restaurant, tastes: list[int]
    ) -> tuple[Line, ...]:
        """Return what a guest of these tastes orders: 1 to 9 lines, about 3.2."""
        offer, lines = restaurant.offer, []
        for _ in range(_SIZES[rnd.getrandbits(4)]):
            dish = offer[tastes[rnd.getrandbits(_TASTE_BITS)]]
            lines.append(dish.lines[_PIECES[rnd.getrandbits(4)]])
        return tuple(lines)

    def category(self, restaurant_id: str, product_id: str) -> str | None:
        """Return the category that a menu gives a dish now; None if it gives none."""
        restaurant = self.restaurant(restaurant_id)
        for dish in restaurant.menu:
            if dish.product_id == product_id:
                return dish.category
        return None

    def restaurant(self, restaurant_id: str) -> Restaurant:
        """Return the restaurant of that id."""
        found = self._by_id[restaurant_id]
        if not isinstance(found, Restaurant):
            raise KeyError(restaurant_id)
        return found

    def guest(self, user_id: str) -> Guest:
        """Return the guest of that id."""
        found = self._by_id[user_id]
        if not isinstance(found, Guest):
            raise KeyError(user_id)
        return found

    def add_guest(self, rnd: random.Random) -> Guest:
        """Add a new guest; its appetite and name are drawn from ``rnd``."""
        guest = self._new_guest(_hex_id(rnd), *words.person(rnd))
        appetite = min(rnd.lognormvariate(0, 0.8), _GREATEST_APPETITE)
        self._appetites.append((self._appetites or [0.0])[-1] + appetite)
        return guest

    def dictionary_entries(self, first: int, last: int) -> list[Entry]:
        """Date every entry of the world somewhere from ``first`` to ``last``.

        :param first: in seconds since 1970 UTC, like ``last``; the times are rounded
            down to a quarter of a day
        :return: the entries as they are now; those dated already keep their time
        """
        rnd = random.Random(f"{self.seed}/dates")
        for id_ in self._by_id:
            at = rnd.randint(first, max(first, last))
            # Real dictionaries are written by a job: many entries share one time.
            self.dated.setdefault(id_, at - at % (DAY // 4))
        return [self.entry(id_) for id_ in self._by_id]

    def touch(self, entry_id: str, at: int) -> None:
        """Date an entry anew after a change; two contents never share a time."""
        self.dated[entry_id] = max(at, self.dated.get(entry_id, at) + 1)

    def entry(self, entry_id: str) -> Entry:
        """Return the entry of that id as it is now."""
        one = self._by_id[entry_id]
        version_dt = to_text(self.dated[entry_id])
        if isinstance(one, Guest):
            return Entry(one.id, version_dt, one.name, one.login, None)
        menu = tuple(
            MenuLine(dish.product_id, dish.name, dish.price, dish.category)
            for dish in one.menu
        )
        return Entry(one.id, version_dt, one.name, None, menu)

    def restore(self, entries: Iterable[Entry]) -> None:
        """Restore the world as a journal has left it.

        :param entries: every entry that was written, oldest first
        """
        for entry in entries:
            self.dated[entry.id] = to_seconds(entry.version_dt)
            self.written.add(entry.id)
            one = self._by_id.get(entry.id)
            if one is None:
                self._new_guest(entry.id, entry.name, entry.login)
                self._appetites.append(self._appetites[-1] + 1)
            elif isinstance(one, Guest):
                one.name, one.login = entry.name, entry.login
            else:
                one.name = entry.name
                _restore_menu(one, entry.menu or ())

    def _new_guest(self, user_id: str, name: str, login: str | None) -> Guest:
        guest = Guest(user_id, name, login)
        self.guests.append(guest)
        self._by_id[user_id] = guest
        return guest

    def _tastes(self, guest: Guest) -> list[tuple[Restaurant, list[int]]]:
        # Seeded by the guest's id, since the guests come in no particular order.
        rnd = random.Random(f"{self.seed}/{guest.id}")
        ranked = rnd.sample(self.restaurants, len(self.restaurants))
        weights = [1 / (rank + 1) ** 1.5 for rank in range(len(ranked))]
        tastes: dict[str, list[int]] = {}
        chosen = rnd.choices(ranked, weights, k=8)
        for restaurant in chosen:
            if restaurant.id in tastes:
                continue
            places = range(len(restaurant.offer))
            favourites = rnd.choices(places, k=_FAVOURITES)
            half = (1 << _TASTE_BITS) // 2
            tastes[restaurant.id] = [
                *rnd.choices(favourites, range(_FAVOURITES, 0, -1), k=half),
                *rnd.choices(places, k=half),
            ]
        return [(restaurant, tastes[restaurant.id]) for restaurant in chosen]


# Sixteen equally likely sizes of an order and of a line.
_SIZES = [1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4, 5, 5, 6, 7]
_PIECES = [1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 4, 5, MOST_PIECES]


def _hex_id(rnd: random.Random) -> str:
    return f"{rnd.getrandbits(96):024x}"


def _menus(rnd: random.Random, restaurants: int, dishes: int) -> list[list[Dish]]:
    menus: list[list[Dish]] = [[] for _ in range(restaurants)]
    for number, (category, name) in enumerate(words.dishes(dishes)):
        product_id, price = _hex_id(rnd), rnd.randrange(80, 1200, 10)
        home = number if number < restaurants else rnd.randrange(restaurants)
        menus[home].append(Dish(product_id, name, price, category))
        if restaurants > 1 and rnd.random() < _SHARED:
            other = (home + rnd.randrange(1, restaurants)) % restaurants
            menus[other].append(Dish(product_id, name, price + 20, category))
    return menus


def _restore_menu(restaurant: Restaurant, menu: tuple[MenuLine, ...]) -> None:
    there = {dish.product_id: dish for dish in restaurant.menu}
    restaurant.menu = []
    for line in menu:
        dish = there.get(line.product_id) or Dish(*line)
        dish.name, dish.price, dish.category = line.name, line.price, line.category
        dish.changed()
        restaurant.menu.append(dish)
    left = {dish.product_id for dish in restaurant.menu}
    restaurant.offer = [
        dish if dish.product_id in left else restaurant.menu[place % len(left)]
        for place, dish in enumerate(restaurant.offer)
    ]
