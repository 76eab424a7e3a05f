"""The marts, from their folders in the areas (ADR 0005)."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from palate.marts import files
from palate.marts.contributions import Change, Contributions, load_contributions
from palate.names import AREAS_FOLDER, SQL_FOLDER, Identifier
from palate.sources import catalog

Name = Annotated[str, Identifier]

# What every mart counts.
COUNTERS = ("order_cnt", "pieces_cnt", "amount")


class Label(BaseModel):
    """Where a mart's rows get their readable name from, by their last key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: Name
    table: str
    key: Name


class Reference(BaseModel):
    """What a mart looks up beside the orders, kept as it was when it was counted.

    ``changes`` says what a change means: orders to count anew, or labels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: Name
    columns: dict[Name, str]
    key: tuple[Name, ...] = Field(min_length=1)
    changes: Change


class Mart(BaseModel):
    """A mart, from its folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Short enough for PostgreSQL to keep it whole with `_counted` added.
    name: Name = Field(max_length=55)
    # The folder below sql/areas: no part of what the mart means.
    area: str = Field(exclude=True)
    contributions: Contributions = Field(exclude=True)
    description: str = Field(min_length=10)
    keys: tuple[Name, ...] | dict[Name, str] = Field(min_length=1)
    label: Label | None = None
    reference: Reference | None = None
    order_columns: tuple[Name, ...] = ()
    fillfactor: int = Field(default=80, ge=50, le=100)
    tag_kind: Literal["product", "category"] | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        columns = [*self.keys, *([self.label.column] if self.label else []), *COUNTERS]
        for name in {name for name in columns if columns.count(name) > 1}:
            message = f"{name} is a column twice"
            raise ValueError(message)
        known = self.contributions.further
        unknown = [name for name in self.order_columns if name not in known]
        if unknown:
            message = (
                f"order_columns names {', '.join(unknown)}, but the newest version of "
                f"an order has {', '.join(known)}"
            )
            raise ValueError(message)
        self._check_reference()
        if self.tag_kind and not (self.label and len(self.keys) == 2 and self.guest):
            guest = self.contributions.guest.key
            message = f"tag_kind needs a label, and two keys, {guest} the first"
            raise ValueError(message)
        return self

    def _check_reference(self) -> None:
        found = self.reference
        if found is None:
            return
        needed = self.contributions.reference.columns.get(found.changes, ())
        for name in (*needed, *found.key):
            if name not in found.columns:
                message = (
                    f"reference: columns lacks {name}, which `changes: {found.changes}`"
                    " needs"
                )
                raise ValueError(message)

    @property
    def folder(self) -> str:
        """Return its folder below ``sql/``."""
        return f"areas/{self.area}/cdm/{self.name}"

    @property
    def stage(self) -> str:
        """Return the name of the stage that keeps the mart."""
        return f"mart:{self.name}"

    @property
    def upstream(self) -> str:
        """Return the stage whose positions it takes: the vault of its area."""
        return catalog.load_area(self.area).vault

    @property
    def rows_table(self) -> str:
        """Return the table whose rows its batches are cut by."""
        return catalog.load_area(self.area).rows_table

    @property
    def key_types(self) -> dict[str, str]:
        """Return the key columns with their types."""
        if isinstance(self.keys, dict):
            return self.keys
        return dict.fromkeys(self.keys, "uuid")

    @property
    def guest(self) -> str | None:
        """Return the key of a row's guest; None if rows belong to no guest."""
        key = self.contributions.guest.key
        return key if key in self.keys else None

    @property
    def columns(self) -> list[str]:
        """Return the mart's columns."""
        return [*self.keys, *([self.label.column] if self.label else []), *COUNTERS]

    @property
    def counted(self) -> dict[str, str]:
        """Return the columns of what was counted of each order, with their types."""
        return self.contributions.counted(self.order_columns)

    @property
    def versions(self) -> str:
        """Return the table in whose rows its batches are cut."""
        return f"dds.{self.contributions.versions}"

    @property
    def nullable(self) -> set[str]:
        """Return those of them that may be NULL."""
        return {*self.contributions.nullable, *self.order_columns}

    @property
    def tables(self) -> tuple[str, ...]:
        """Return the mart's tables: rows, counted contributions, reference."""
        looked_up = (self.reference.table,) if self.reference else ()
        return (self.name, f"{self.name}_counted", *looked_up)

    @property
    def is_label_looked_up(self) -> bool:
        """Return whether a row's name comes from the reference, and so may change."""
        return bool(
            self.label
            and self.reference
            and self.label.column in self.reference.columns
        )

    def has(self, file: str) -> bool:
        """Return whether the mart's own folder has a query."""
        return (SQL_FOLDER / self.folder / f"{file}.sql").exists()


@lru_cache(maxsize=2)
def load_marts(folder: Path = AREAS_FOLDER) -> dict[str, Mart]:
    """Read the definition of every mart.

    :raises DefinitionError: names the file, the field and what to do
    """
    found = {}
    for path in sorted(folder.glob("*/cdm/*/mart.yaml")):
        area = path.parents[2]
        found[path.parent.name] = files.read(
            path,
            Mart,
            name=path.parent.name,
            area=area.name,
            contributions=load_contributions(area),
        )
    return found
