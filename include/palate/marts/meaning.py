"""What the rows of a mart mean, from its folder."""

from functools import lru_cache

from palate.marts import kinds
from palate.marts.definitions import find_mart
from palate.tables import registry


@lru_cache(maxsize=64)
def of_mart(name: str) -> registry.Meaning:
    """Return what a mart means, including its queries."""
    mart = find_mart(name)
    # Absent fields are left out: old warehouses have none for them.
    fields = mart.model_dump(mode="json", exclude_defaults=True)
    meaning = fields | {"query": registry.fingerprint(kinds.of(name).meaning())}
    return registry.Meaning("mart", name, meaning, f"sql/{mart.folder}", mart.area)
