"""What the rows of a mart mean, from its folder."""

from functools import lru_cache

from palate.marts.definitions import load_marts
from palate.marts.mart_sql import MartSql
from palate.tables import registry


@lru_cache(maxsize=8)
def of_mart(name: str) -> registry.Meaning:
    """Return what a mart means, including its queries."""
    mart = load_marts()[name]
    fields = mart.model_dump(
        mode="json",
        exclude={"description", "fillfactor", "tag_kind"},
        # Absent fields are left out: old warehouses have none for them.
        exclude_defaults=True,
    )
    meaning = fields | {"query": registry.fingerprint(MartSql(mart).meaning())}
    return registry.Meaning("mart", name, meaning, f"sql/{mart.folder}", mart.area)
