"""The areas whose definitions are all right: a wrong file stops its own area only.

Files of the sources are read by ``catalog``; this adds vault and marts (ADR 0030).
"""

from collections.abc import Iterable, Iterator

from palate.errors import DefinitionError
from palate.marts import Mart, load_marts
from palate.settings import Settings
from palate.sources import Area, catalog
from palate.vault import load_vault


def areas(settings: Settings) -> Iterator[Area]:
    """Yield the areas that are on, those with bare names in the ledger first.

    One that can't be read is left out, with a warning.

    :raises DefinitionError: if none can be read
    """
    wrong: dict[str, DefinitionError] = {}
    found = catalog.areas(settings)
    for area in found:
        wrong |= errors([area.name])
        if area.name in wrong:
            catalog.warn_left_out(area.name, str(wrong[area.name]))
        else:
            yield area
    if wrong and len(wrong) == len(found):
        raise next(iter(wrong.values()))


def marts() -> dict[str, Mart]:
    """Return the marts of all areas that can be read, on or off, by their names."""
    return {mart.name: mart for name in _right() for mart in load_marts(name).values()}


def vault_tables() -> set[str]:
    """Return the tables of the vault of all areas that can be read, on or off."""
    return {table for name in _right() for table in load_vault(name).tables}


def errors(names: Iterable[str]) -> dict[str, DefinitionError]:
    """Return what is wrong with each area whose files can't be read."""
    return catalog.errors(names, load_vault, load_marts)


def refuse_errors(settings: Settings) -> None:
    """Check that all areas that are on can be read.

    :raises DefinitionError: what is wrong with the first that can't be
    """
    catalog.refuse_errors(settings, load_vault, load_marts)


def _right() -> list[str]:
    names = catalog.area_names()
    wrong = errors(names)
    return [name for name in names if name not in wrong]
