"""The marts, from their folders in the areas (ADR 0005)."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from palate.definition_files import mapping, valid
from palate.errors import DefinitionError
from palate.marts.contributions import Change, Contributions, load_contributions
from palate.marts.totals import KeyColumns, Totals, problem
from palate.names import AREAS_FOLDER, SQL_FOLDER, Identifier
from palate.settings import Settings
from palate.sources import catalog

Name = Annotated[str, Identifier]

# What every mart of contributions counts.
COUNTERS = ("order_cnt", "pieces_cnt", "amount")

# Of a comparison's rows: what is wrong with them.
WHAT = "what"


def _one_or_more(value: Any) -> Any:
    is_one = isinstance(value, list) and all(isinstance(one, str) for one in value)
    return [value] if is_one and value else value


Indexes = Annotated[tuple[tuple[Name, ...], ...], BeforeValidator(_one_or_more)]


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


class CopiedTo(BaseModel):
    """Where a mart's rows are kept as well: a table of another PostgreSQL (ADR 0037).

    ``setting`` has that database's address; without it there is no copy.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    setting: Name
    table: str = Field(pattern=r"^[a-z_][a-z0-9_]{0,62}\.[a-z_][a-z0-9_]{0,62}$")

    @field_validator("setting")
    @classmethod
    def _is_address(cls, name: str) -> str:
        fields = Settings.model_fields.items()
        known = [one for one, field in fields if field.annotation is SecretStr]
        if name not in known:
            message = f"{name} is no setting with an address: {', '.join(known)}"
            raise ValueError(message)
        return name

    @property
    def variable(self) -> str:
        """Return the name of the setting in the environment."""
        return self.setting.upper()

    def address(self, settings: Settings) -> str:
        """Return the database's address; empty if it is not set."""
        address: SecretStr = getattr(settings, self.setting)
        return address.get_secret_value()


class Mart(BaseModel):
    """A mart, from its folder: what all kinds have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Short enough for PostgreSQL to keep it whole with `_counted` added.
    name: Name = Field(max_length=55)
    # The folder below sql/areas: no part of what the mart means.
    area: str = Field(exclude=True)
    kind: str
    description: str = Field(min_length=10, exclude=True)
    keys: tuple[Name, ...] | dict[Name, str] = Field(min_length=1)
    tag_kind: str | None = Field(default=None, exclude=True)
    copied_to: CopiedTo | None = Field(default=None, exclude=True)

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
    def all_columns(self) -> list[str]:
        """Return the mart's columns, keys first."""
        return list(self.keys)

    @property
    def tables(self) -> tuple[str, ...]:
        """Return the mart's tables, that of its rows first."""
        return (self.name,)

    @property
    def has_totals(self) -> bool:
        """Return whether sums of it are kept."""
        return False

    @property
    def indexes(self) -> tuple[tuple[str, ...], ...]:
        """Return the columns of each further index."""
        return ()

    @property
    def copy_stage(self) -> str:
        """Return the name of the stage that copies it to another database."""
        return f"copy:{self.name}"

    def is_copied(self, settings: Settings) -> bool:
        """Return whether it is kept in another database, too."""
        return bool(self.copied_to and self.copied_to.address(settings))

    def has(self, file: str) -> bool:
        """Return whether the mart's own folder has a query."""
        return (SQL_FOLDER / self.folder / f"{file}.sql").exists()

    def _refuse_doubled_columns(self) -> None:
        for name in self.all_columns:
            if self.all_columns.count(name) > 1:
                message = f"{name} is a column twice"
                raise ValueError(message)


class CountedMart(Mart):
    """A mart whose counters are sums of what each order adds (ADR 0005)."""

    kind: Literal["contributions"] = "contributions"
    contributions: Contributions = Field(exclude=True)
    copied_to: None = Field(default=None, exclude=True)
    label: Label | None = None
    reference: Reference | None = None
    order_columns: tuple[Name, ...] = ()
    fillfactor: int = Field(default=80, ge=50, le=100, exclude=True)
    # They follow from the mart: no part of what it means.
    totals: tuple[Totals, ...] = Field(default=(), exclude=True)
    tag_kind: Literal["product", "category"] | None = Field(default=None, exclude=True)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self._refuse_doubled_columns()
        known = self.contributions.further
        unknown = [name for name in self.order_columns if name not in known]
        if unknown:
            message = (
                f"order_columns names {', '.join(unknown)}, but the newest version of "
                f"an order has {', '.join(known)}"
            )
            raise ValueError(message)
        self._check_reference()
        self._check_totals()
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

    def _check_totals(self) -> None:
        has_guest = self.guest is not None
        for one in self.totals:
            by = self.contributions.by
            if found := problem(one, self.things, by, has_guest=has_guest):
                message = f"totals: {found}"
                raise ValueError(message)
        for name in self.tables:
            if self.tables.count(name) > 1:
                message = f"totals: {name} is a table of the mart twice"
                raise ValueError(message)

    @property
    def things(self) -> list[str]:
        """Return the keys of what is counted: all but the guest."""
        return [key for key in self.keys if key != self.guest]

    def key_columns(self, totals: Totals) -> KeyColumns:
        """Return where the keys of totals come from."""
        by, things = self.contributions.by, self.things
        return KeyColumns(
            {key: by[key] for key in totals.keys if key not in things},
            [key for key in totals.keys if key in things],
        )

    @property
    def has_totals(self) -> bool:
        """Return whether sums of it are kept."""
        return bool(self.totals)

    @property
    def keeps_contributions(self) -> bool:
        """Return whether totals need what each order adds, order by order."""
        return any(one.of == "orders" for one in self.totals)

    @property
    def kept_columns(self) -> list[str]:
        """Return the further columns of an order that are kept: also for totals."""
        used = [
            key.column
            for one in self.totals
            for key in self.key_columns(one).order.values()
        ]
        further = self.contributions.further
        return list(
            dict.fromkeys(
                [*self.order_columns, *(name for name in used if name in further)]
            )
        )

    @property
    def guest(self) -> str | None:
        """Return the key of a row's guest; None if rows belong to no guest."""
        key = self.contributions.guest.key
        return key if key in self.keys else None

    @property
    def all_columns(self) -> list[str]:
        """Return the mart's columns, keys first."""
        return [*self.keys, *([self.label.column] if self.label else []), *COUNTERS]

    @property
    def counted(self) -> dict[str, str]:
        """Return the columns of what was counted of each order, with their types."""
        return self.contributions.counted(self.kept_columns)

    @property
    def nullable(self) -> set[str]:
        """Return those of what was counted that may be NULL."""
        return {*self.contributions.nullable, *self.kept_columns}

    @property
    def tables(self) -> tuple[str, ...]:
        """Return the mart's tables: rows, counted orders, reference, totals."""
        looked_up = (self.reference.table,) if self.reference else ()
        totals = (one.table for one in self.totals)
        return (self.name, f"{self.name}_counted", *looked_up, *totals)

    @property
    def is_label_looked_up(self) -> bool:
        """Return whether a row's name comes from the reference, and so may change."""
        return bool(
            self.label
            and self.reference
            and self.label.column in self.reference.columns
        )


class ByKeyMart(Mart):
    """A mart whose rows are a function of their keys (ADR 0029)."""

    kind: Literal["by_key"]
    columns: dict[Name, str] = Field(min_length=1)
    nullable: tuple[Name, ...] = ()
    # When a row last changed; no part of what it means, and never compared.
    changed_at: Name | None = Field(default=None, exclude=True)
    # One index's columns, or a list of several indexes'; no part of what it means.
    index: Indexes = Field(default=(), exclude=True)
    tag_kind: None = Field(default=None, exclude=True)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self._refuse_doubled_columns()
        if self.changed_at in self.all_columns:
            message = f"changed_at names {self.changed_at}, which is a column already"
            raise ValueError(message)
        if WHAT in (*self.all_columns, self.changed_at):
            message = f"{WHAT} is a column of comparisons: give it another name"
            raise ValueError(message)
        for name in self.nullable:
            if name not in self.columns:
                message = (
                    f"nullable names {name}, but columns has {', '.join(self.columns)}"
                )
                raise ValueError(message)
        for name in {name for columns in self.index for name in columns}:
            if name not in self.all_columns:
                message = f"index names {name}, which is no column of the mart"
                raise ValueError(message)
        return self

    @property
    def all_columns(self) -> list[str]:
        """Return the mart's columns, keys first."""
        return [*self.keys, *self.columns]

    @property
    def indexes(self) -> tuple[tuple[str, ...], ...]:
        """Return the columns of each further index."""
        return self.index


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
