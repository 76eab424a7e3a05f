"""What the rows of each table stand for, as its definition says."""

from functools import lru_cache

from palate.marts.definitions import load_marts
from palate.tables.registry import Meant, fingerprint
from palate.vault.definitions import Hub, Link, Satellite, load_vault, path_of


def all_meant() -> list[Meant]:
    """Return what each table of the vault and each mart means."""
    return [*of_vault(), *(of_mart(name) for name in load_marts())]


@lru_cache(maxsize=1)
def of_vault() -> tuple[Meant, ...]:
    """Return what each table of the vault means, in load order."""
    return tuple(_of_table(item) for item in load_vault().in_load_order)


@lru_cache(maxsize=8)
def of_mart(name: str) -> Meant:
    """Return what a mart means, its queries among it."""
    mart = load_marts()[name]
    fields = mart.model_dump(
        mode="json",
        exclude={"description", "fillfactor", "tag_kind"},
        # What a mart does not say needs no word: old warehouses have none for it.
        exclude_defaults=True,
    )
    meaning = fields | {"query": fingerprint(mart.meaning())}
    return Meant("mart", name, meaning, f"sql/cdm/{name}")


def _of_table(item: Hub | Link | Satellite) -> Meant:
    fields = item.model_dump(
        mode="json", exclude={"description", "table", "kind", "index"}
    )
    columns = load_vault().context(item)["typed_columns"]
    return Meant(
        item.kind.value, item.table, {"columns": columns} | fields, path_of(item)
    )
