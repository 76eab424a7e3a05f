"""The marts, read from their folders in the areas (ADR 0005)."""

from functools import lru_cache
from pathlib import Path

from palate.definition_files import mapping, valid
from palate.errors import DefinitionError
from palate.marts.contributions import load_contributions
from palate.marts.counted_mart import CountedMart
from palate.marts.models import ByKeyMart
from palate.names import AREAS_FOLDER
from palate.sources import catalog

_KINDS: dict[str, type[CountedMart | ByKeyMart]] = {
    "contributions": CountedMart,
    "by_key": ByKeyMart,
}


@lru_cache(maxsize=16)
def load_marts(
    area: str | None = None, *, folder: Path = AREAS_FOLDER
) -> dict[str, CountedMart | ByKeyMart]:
    """Read the definitions of the marts of one area, or of all.

    :raises DefinitionError: names the file, the field and what to do
    """
    marts: dict[str, CountedMart | ByKeyMart] = {}
    owners: dict[str, Path] = {}
    for path in sorted(folder.glob(f"{area or '*'}/cdm/*/mart.yaml")):
        mart = marts[path.parent.name] = _read(path)
        for table in mart.tables:
            if owners.setdefault(table, path) != path:
                message = f"{path}: {owners[table]} has a table {table} as well."
                raise DefinitionError(message)
    return marts


def find_mart(name: str) -> CountedMart | ByKeyMart:
    """Return a mart of any area; only its own area has to be right.

    :raises DefinitionError: if it was removed, or may be in an area that can't be read
    """
    wrong = None
    for area in catalog.area_names():
        try:
            marts = load_marts(area)
        except DefinitionError as error:
            wrong = wrong or error
            continue
        if name in marts:
            return marts[name]
    message = (
        f"sql/areas/*/cdm/{name} is not there any more, so nothing is counted. "
        f"Its task goes with the next parse of the DAGs, its tables by `palate drop "
        f"{name}`."
    )
    raise wrong or DefinitionError(message)


def counted_mart(name: str) -> CountedMart:
    """Return a mart that counts contributions.

    :raises TypeError: if it is of another kind
    """
    mart = find_mart(name)
    if not isinstance(mart, CountedMart):
        raise TypeError(name)
    return mart


@lru_cache(maxsize=64)
def _read(path: Path) -> CountedMart | ByKeyMart:
    values = mapping(path)
    kind = values.get("kind", "contributions")
    if kind not in _KINDS:
        message = f"{path}: kind: {kind} is none of {', '.join(_KINDS)}."
        raise DefinitionError(message)
    area = path.parents[2]
    values |= {"name": path.parent.name, "area": area.name}
    if kind == "contributions":
        values["contributions"] = load_contributions(area)
    return valid(path, _KINDS[kind], values, "Add a mart")
