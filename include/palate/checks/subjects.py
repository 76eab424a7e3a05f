"""What a check is rendered for: each table or mart of its kind, or once."""

from collections.abc import Collection, Iterable

from palate import copies, readable, tags
from palate.check_definitions import Check, load_checks
from palate.errors import NotFoundError
from palate.marts import compare, kept_totals, load_marts
from palate.settings import Settings
from palate.sql import render
from palate.vault import load_vault

# The subject of the group ``tags``.
TAGS = "cdm.user_tags"


def planned(settings: Settings, names: Iterable[str] = ()) -> list[tuple[Check, str]]:
    """Return the checks of these names, or all, each with every subject it has.

    :raises NotFoundError: if there is no such check
    """
    on = sorted(area.name for area in readable.areas(settings))
    return [
        (check, subject)
        for check in _chosen(settings, on, names)
        for subject in subjects(check.group, on, settings)
    ]


def _chosen(
    settings: Settings, areas: Collection[str], names: Iterable[str]
) -> list[Check]:
    on = {None, *areas}
    checks = {one.full_name: one for one in load_checks() if one.area in on}
    at_work = [
        name for name, one in checks.items() if subjects(one.group, areas, settings)
    ]
    wanted = list(names) or at_work
    for name in wanted:
        if name not in checks:
            message = f"There is no check {name}. There are: {', '.join(at_work)}."
            raise NotFoundError(message)
    return [checks[name] for name in wanted]


def subjects(
    group: str, areas: Iterable[str], settings: Settings | None = None
) -> list[str]:
    """Return the names of what a folder of checks is about, in some areas.

    :param settings: say which copies there are; without them, all
    """
    marts = [mart for area in areas for mart in load_marts(area).values()]
    if group == "marts":
        return [f"cdm.{mart.name}" for mart in marts]
    if group == "totals":
        return [f"cdm.{mart.name}" for mart in marts if mart.has_totals]
    if group == "copies":
        return [
            f"cdm.{mart.name}"
            for mart in marts
            if (mart.is_copied(settings) if settings else mart.copied_to)
        ]
    if group == "tags":
        return [TAGS]
    tables = [
        f"dds.{item.table}"
        for area in areas
        for item in load_vault(area).tables.values()
        if (item.kind, item.area) == (group, area)
    ]
    return tables or [group]


def query(
    check: Check, subject: str, areas: Iterable[str], *, is_behind: bool = False
) -> str:
    """Return a check's query for one subject.

    :param areas: those whose subjects are asked for
    :param is_behind: for marts and tags: leave out what they have not taken yet
    """
    if subject == TAGS:
        return tags.comparison(is_behind=is_behind)
    name = subject.partition(".")[2]
    if check.group == "copies":
        return copies.compare.statement(name)
    if check.group == "totals":
        return kept_totals.comparison(name)
    if check.group == "marts":
        return compare.comparison(name, is_behind=is_behind)
    for vault in map(load_vault, areas):
        if name in vault.tables:
            return render(check.path, **vault.check_context(vault.tables[name]))
    return render(check.path)
