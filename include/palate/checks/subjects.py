"""What a check is rendered for: every table or mart of its kind, or the whole once."""

from typing import Any

from palate.marts import compare
from palate.marts.definitions import load_marts
from palate.sql import render
from palate.tags import stage as tags
from palate.vault.definitions import Hub, Kind, Link, Satellite, load_vault


def subjects(group: str) -> list[str]:
    """Return the names of what a folder of checks is about."""
    if group in list(Kind):
        tables = load_vault().tables.values()
        return [f"dds.{item.table}" for item in tables if item.kind == group]
    if group == "marts":
        return [f"cdm.{name}" for name in load_marts()]
    return ["cdm.user_tags" if group == "tags" else group]


def query(path: str, subject: str, *, is_behind: bool = False) -> str:
    """Return a check's query for one subject.

    :param path: its file below ``sql/``
    :param is_behind: for marts and tags: leave out what they have not taken yet
    """
    name = subject.partition(".")[2]
    if subject == "cdm.user_tags":
        return tags.comparison(is_behind=is_behind)
    if name in load_marts():
        return compare.comparison(name, is_behind=is_behind)
    if name in load_vault().tables:
        return render(path, **_context(name))
    return render(path)


def _context(table: str) -> dict[str, Any]:
    vault = load_vault()
    item = vault.tables[table]
    context = vault.context(item)
    if isinstance(item, Link):
        hubs = [_other(vault.tables[name]) for name in item.hub_keys]
        return context | {"hubs": hubs}
    if isinstance(item, Satellite):
        return context | {"parent": _other(vault.tables[item.parent])}
    return context


def _other(item: Hub | Link | Satellite) -> dict[str, Any]:
    """Return how others name a row of a hub or a link: by which columns."""
    if not isinstance(item, Hub | Link):
        raise TypeError(item.table)
    columns = [item.key]
    if isinstance(item, Hub) and item.clustered:
        columns = [*item.business_keys, item.key]
    return {"table": item.table, "key": item.key, "columns": columns}
