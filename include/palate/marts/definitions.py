"""The marts, from their folders in the areas (ADR 0005)."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from palate.errors import DefinitionError
from palate.names import AREAS_FOLDER, LOAD_DT, LOAD_SRC, SQL_FOLDER, Identifier
from palate.vault import load_vault

Name = Annotated[str, Identifier]

# What every mart counts, and the columns of an order's row in <mart>_counted.
COUNTERS = ("order_cnt", "pieces_cnt", "amount")
_COUNTED = {
    "order_id": "bigint",
    "h_user_pk": "uuid",
    "version_dt": "timestamp",
    "hk_order_item_hashdiff": "uuid",
}

# The key that ties a mart's row to a guest.
_GUEST = "user_id"

# What the shared statements read of a reference, by what a change of it means.
_NEEDED = {
    "labels": ("product_id",),
    "orders": ("product_id", "from_dt", "until_dt", "category_id"),
}


class Label(BaseModel):
    """Where a mart's rows get their readable name from, by their last key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: Name
    table: str
    key: Name


class Reference(BaseModel):
    """What a mart looks up about dishes, kept as it was when it was counted.

    ``changes`` says what a change means: orders to count anew, or labels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: Name
    columns: dict[Name, str]
    key: tuple[Name, ...] = Field(min_length=1)
    changes: Literal["orders", "labels"]

    @model_validator(mode="after")
    def _has_what_is_read(self) -> Self:
        for name in (*_NEEDED[self.changes], *self.key):
            if name not in self.columns:
                message = f"columns lacks {name}, which `changes: {self.changes}` needs"
                raise ValueError(message)
        return self


class Mart(BaseModel):
    """A mart, from its folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Short enough for PostgreSQL to keep it whole with `_counted` added.
    name: Name = Field(max_length=55)
    # The folder below sql/areas: no part of what the mart means.
    area: str = Field(exclude=True)
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
        known = _version_columns()
        unknown = [name for name in self.order_columns if name not in known]
        if unknown:
            message = (
                f"order_columns names {', '.join(unknown)}, but the newest version of "
                f"an order has {', '.join(known)}"
            )
            raise ValueError(message)
        if self.tag_kind and not (self.label and len(self.keys) == 2 and self.guest):
            message = f"tag_kind needs a label, and two keys, {_GUEST} the first"
            raise ValueError(message)
        return self

    @property
    def folder(self) -> str:
        """Return its folder below ``sql/``."""
        return f"areas/{self.area}/cdm/{self.name}"

    @property
    def stage(self) -> str:
        """Return the name of the stage that keeps the mart."""
        return f"mart:{self.name}"

    @property
    def key_types(self) -> dict[str, str]:
        """Return the key columns with their types."""
        if isinstance(self.keys, dict):
            return self.keys
        return dict.fromkeys(self.keys, "uuid")

    @property
    def guest(self) -> str | None:
        """Return the key of a row's guest; None if rows belong to no guest."""
        return _GUEST if _GUEST in self.keys else None

    @property
    def columns(self) -> list[str]:
        """Return the mart's columns."""
        return [*self.keys, *([self.label.column] if self.label else []), *COUNTERS]

    @property
    def counted(self) -> dict[str, str]:
        """Return the columns of what was counted of each order, with their types."""
        known = _version_columns()
        further = {name: known[name] for name in self.order_columns}
        return _COUNTED | further | {"order_dt": "timestamp"}

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
    return {
        path.parent.name: _read(path)
        for path in sorted(folder.glob("*/cdm/*/mart.yaml"))
    }


def _read(path: Path) -> Mart:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Mart.model_validate(
            values | {"name": path.parent.name, "area": path.parents[2].name}
        )
    except (yaml.YAMLError, TypeError) as error:
        message = f"{path}: this is no mapping in YAML: {' '.join(str(error).split())}"
        raise DefinitionError(message) from None
    except ValidationError as error:
        problems = "; ".join(
            ": ".join([*(str(part) for part in item["loc"]), item["msg"]]).replace(
                "Value error, ", ""
            )
            for item in error.errors()
        )
        message = f"{path}: {problems}. See CONTRIBUTING.md for the fields of a mart."
        raise DefinitionError(message) from None


def _version_columns() -> dict[str, str]:
    """Return the columns of an order's newest version that a mart may use, typed."""
    vault = load_vault()
    types = vault.context(vault.tables["s_order_version"])["typed_columns"]
    left_out = {*_COUNTED, "h_order_pk", LOAD_DT, LOAD_SRC}
    return {name: type for name, type in types.items() if name not in left_out}
