"""What a check is rendered for: each table or mart of its kind, or once."""

from collections.abc import Collection

from palate import tags
from palate.marts import compare, load_marts
from palate.sql import render
from palate.vault import load_vault


def subjects(group: str, areas: Collection[str]) -> list[str]:
    """Return the names of what a folder of checks is about, in some areas."""
    tables = [one for one in load_vault().tables.values() if one.area in areas]
    if found := [f"dds.{item.table}" for item in tables if item.kind == group]:
        return found
    if group == "marts":
        marts = load_marts().items()
        return [f"cdm.{name}" for name, mart in marts if mart.area in areas]
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
    vault = load_vault()
    if name in vault.tables:
        return render(path, **vault.check_context(vault.tables[name]))
    return render(path)
