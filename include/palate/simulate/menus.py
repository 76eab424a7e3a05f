"""The names and categories of dishes on the menus, over time (contract, section 4)."""

from bisect import bisect_right
from collections.abc import Iterable

from palate.simulate.model import Entry, MenuLine


class Menus:
    """The menus of all restaurants over time."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Add the entries, in any order; entries without a menu are skipped."""
        latest: dict[str, dict[str, tuple[str, MenuLine]]] = {}
        for entry in entries:
            for line in entry.menu or ():
                at_time = latest.setdefault(line.product_id, {})
                other = at_time.get(entry.version_dt)
                # Of two entries of one time the greater restaurant id counts; in one
                # menu the last line does.
                if other is None or entry.id >= other[0]:
                    at_time[entry.version_dt] = (entry.id, line)
        self._times = {product: sorted(times) for product, times in latest.items()}
        self._lines = {
            product: [latest[product][at][1] for at in times]
            for product, times in self._times.items()
        }

    def names(self) -> dict[str, str]:
        """Return the names of all dishes that any menu has had."""
        return {product: lines[-1].name for product, lines in self._lines.items()}

    def category_at(self, product_id: str, at: str) -> str | None:
        """Return the category of a dish at a time; None if it has none, or none known.

        A dish that is on no menu yet has the category of its first menu.
        """
        times = self._times.get(product_id)
        if times is None:
            return None
        place = max(bisect_right(times, at) - 1, 0)
        return self._lines[product_id][place].category
