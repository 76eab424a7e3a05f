"""The area of the orders, for tests and benches that call its stages themselves."""

from palate.sources import catalog

FOOD = catalog.load_area("food")
