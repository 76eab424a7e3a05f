"""A warehouse whose most popular dishes have odd names, and a login that reads it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from deploy.local.stack import Stack
from palate.simulate.world import World
from tests.reader_login import reader_login
from tests.season import Season
from tests.warehouses import MakeWarehouse

# The tooltip of a chart is HTML, and this fits into it.
HOSTILE = '<b>Лобио</b><img src=//example.com onerror="hurt=1">'
TWICE = "Салат «Двойник»"
_SEED = 7
_ORDERS, _DAYS = 3_000, 60


@dataclass(frozen=True)
class Shop:
    """What was sent, and the address of the warehouse with a reader's login."""

    season: Season
    login: str


@contextmanager
def open_shop(make_warehouse: MakeWarehouse, stack: Stack) -> Iterator[Shop]:
    """Fill a warehouse with orders up to now."""
    until = datetime.now(UTC).replace(microsecond=0)
    plain = Season(_ORDERS, _DAYS, until, World(_SEED))
    counted = Counter(one for order in plain.closed for one in order.products)
    first, second, third = (product for product, _ in counted.most_common(3))
    season = Season(
        _ORDERS, _DAYS, until, _world({first: HOSTILE, second: TWICE, third: TWICE})
    )
    with make_warehouse() as settings:
        season.fill(settings)
        with reader_login(stack, settings.dwh_dsn.get_secret_value()) as login:
            yield Shop(season, login)


def _world(names: dict[str, str]) -> World:
    """Return the world of the seed, some of its dishes by other names."""
    world = World(_SEED)
    for restaurant in world.restaurants:
        for dish in restaurant.menu:
            dish.name = names.get(dish.product_id, dish.name)
            dish.changed()
    return world
