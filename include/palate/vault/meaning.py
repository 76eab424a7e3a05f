"""What the rows of each table of the vault mean, from its definition."""

from functools import lru_cache

from palate.tables import registry
from palate.vault.definitions import Vault, load_vault
from palate.vault.kinds import Table


@lru_cache(maxsize=16)
def of_tables(area: str | None = None) -> tuple[registry.Meaning, ...]:
    """Return what each table of an area's vault, or of all, means, in load order."""
    vault = load_vault(area)
    return tuple(
        _of_table(vault, item)
        for item in vault.in_load_order
        if area in (None, item.area)  # what it extends is the other area's
    )


def _of_table(vault: Vault, item: Table) -> registry.Meaning:
    fields = item.model_dump(
        mode="json", exclude={"description", "table", "kind", "index"}
    )
    columns = vault.context(item)["typed_columns"]
    return registry.Meaning(
        item.kind.value,
        item.table,
        {"columns": columns} | fields,
        item.path,
        item.area,
    )
