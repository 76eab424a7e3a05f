"""What the rows of each table of the vault mean, from its definition."""

from functools import lru_cache

from palate.tables import registry
from palate.vault.definitions import Hub, Link, Satellite, load_vault


@lru_cache(maxsize=1)
def of_tables() -> tuple[registry.Meaning, ...]:
    """Return what each table of the vault means, in load order."""
    return tuple(_of_table(item) for item in load_vault().in_load_order)


def _of_table(item: Hub | Link | Satellite) -> registry.Meaning:
    fields = item.model_dump(
        mode="json", exclude={"description", "table", "kind", "index"}
    )
    columns = load_vault().context(item)["typed_columns"]
    return registry.Meaning(
        item.kind.value, item.table, {"columns": columns} | fields, item.path
    )
