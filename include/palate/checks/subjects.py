"""What a check is rendered for: each table or mart of its kind, or once."""

from collections.abc import Collection, Iterable

from palate import tags
from palate.check_definitions import Check, load_checks
from palate.errors import NotFoundError
from palate.marts import compare, load_marts
from palate.settings import Settings
from palate.sources import catalog
from palate.sql import render
from palate.vault import load_vault


def planned(settings: Settings, names: Iterable[str] = ()) -> list[tuple[Check, str]]:
    """Return the checks of these names, or all, each with every subject it has.

    :raises NotFoundError: if there is no such check
    """
    on = {area.name for area in catalog.areas(settings)}
    return [
        (check, subject)
        for check in _chosen(on, names)
        for subject in subjects(check.group, on)
    ]


def _chosen(areas: Collection[str], names: Iterable[str]) -> list[Check]:
    on = {None, *areas}
    checks = {check.full_name: check for check in load_checks() if check.area in on}
    wanted = list(names) or list(checks)
    for name in wanted:
        if name not in checks:
            message = f"There is no check {name}. There are: {', '.join(checks)}."
            raise NotFoundError(message)
    return [checks[name] for name in wanted]


def subjects(group: str, areas: Collection[str]) -> list[str]:
    """Return the names of what a folder of checks is about, in some areas."""
    tables = [one for one in load_vault().tables.values() if one.area in areas]
    if found := [f"dds.{item.table}" for item in tables if item.kind == group]:
        return found
    marts = [mart for mart in load_marts().values() if mart.area in areas]
    if group == "marts":
        return [f"cdm.{mart.name}" for mart in marts]
    if group == "totals":
        return [f"cdm.{mart.name}" for mart in marts if mart.has_totals]
    return ["cdm.user_tags" if group == "tags" else group]


def query(path: str, subject: str, *, is_behind: bool = False) -> str:
    """Return a check's query for one subject.

    :param path: its file below ``sql/``
    :param is_behind: for marts and tags: leave out what they have not taken yet
    """
    name = subject.partition(".")[2]
    if subject == "cdm.user_tags":
        return tags.comparison(is_behind=is_behind)
    if name in load_marts() and "/totals/" in path:
        return compare.totals_comparison(name)
    if name in load_marts():
        return compare.comparison(name, is_behind=is_behind)
    vault = load_vault()
    if name in vault.tables:
        return render(path, **vault.check_context(vault.tables[name]))
    return render(path)
