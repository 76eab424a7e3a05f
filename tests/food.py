"""The area of the orders, for tests and benches that call its stages themselves."""

from palate.check_definitions import Check, load_checks
from palate.checks.subjects import subjects
from palate.sources import catalog

FOOD = catalog.load_area("food")


def food_checks() -> list[Check]:
    """Return the checks that run where only the orders are on."""
    return [
        one
        for one in load_checks()
        if one.area in (None, FOOD.name) and subjects(one.group, [FOOD.name])
    ]
