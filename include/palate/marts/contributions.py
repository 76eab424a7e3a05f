"""What an area's marts count, from the area's ``contributions/`` (ADR 0005)."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from palate.definition_files import mapping, valid
from palate.errors import DefinitionError
from palate.marts.totals import OrderKey
from palate.names import LOAD_DT, LOAD_SRC, Identifier
from palate.sources import catalog
from palate.vault import load_vault

Name = Annotated[str, Identifier]
Change = Literal["orders", "labels"]

# The column that every statement knows an order by.
_ORDER = "order_id"


class Guest(BaseModel):
    """Whose a row is: a mart's key, and the column of an order that equals it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Name
    column: Name


class LookedUp(BaseModel):
    """What references are about.

    ``key`` is a reference's column for it, ``column`` that of the statements which find
    it. ``columns`` are those that the shared statements read, by what a change means.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Name
    column: Name
    columns: dict[Change, tuple[Name, ...]]


class Contributions(BaseModel):
    """What is counted, and what the shared statements call it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    area: str
    of_version: dict[Name, str]
    of_order: dict[Name, str]
    nullable: tuple[Name, ...] = ()
    guest: Guest
    reference: LookedUp
    by: dict[Name, OrderKey] = {}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if next(iter(self.of_version), None) != _ORDER:
            message = f"of_version begins with {_ORDER}, which everything else names"
            raise ValueError(message)
        for name in (self.guest.column, *self.nullable):
            if name not in self.of_version | self.of_order:
                message = f"neither of_version nor of_order has {name}"
                raise ValueError(message)
        known = self.of_version | self.of_order | self.further
        for key in self.by.values():
            if key.column not in known:
                message = f"by: an order has no {key.column}"
                raise ValueError(message)
        return self

    def _versions(self) -> dict[str, Any]:
        """Return the context of the satellite with a row per message of an order."""
        rows = catalog.load_area(self.area).rows
        vault = load_vault(self.area)
        satellite = vault.tables.get(rows or "")
        if satellite is None or satellite.kind != "satellites":
            message = (
                f"it counts rows of what area.yaml names as `rows`: {rows or 'nothing'}"
                ", which is no satellite"
            )
            raise ValueError(message)
        return vault.context(satellite)

    @property
    def further(self) -> dict[str, str]:
        """Return the other columns of a version that a mart may use, with types."""
        context = self._versions()
        left_out = {*self.of_version, context["parent_key"], LOAD_DT, LOAD_SRC}
        types: dict[str, str] = context["typed_columns"]
        return {name: type for name, type in types.items() if name not in left_out}

    def counted(self, further: Iterable[str]) -> dict[str, str]:
        """Return the columns of what is kept of an order, with their types."""
        known = self.further
        return self.of_version | {name: known[name] for name in further} | self.of_order


@lru_cache(maxsize=8)
def load_contributions(area: Path) -> Contributions:
    """Read what the marts of an area count.

    :raises DefinitionError: names the file, the field and what to do
    """
    path = area / "contributions" / "contributions.yaml"
    if not path.exists():
        message = (
            f"{path} is not there, and marts of sql/areas/{area.name} count "
            "contributions: it says what they count (CONTRIBUTING.md, 'Add a mart')."
        )
        raise DefinitionError(message)
    values = mapping(path) | {"area": area.name}
    return valid(path, Contributions, values, "Add a mart")
