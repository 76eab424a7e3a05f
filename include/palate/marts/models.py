"""What a mart.yaml says: what all marts have, and those by key (ADR 0029)."""

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

from palate.names import SQL_FOLDER, Identifier
from palate.settings import Settings
from palate.sources import catalog

Name = Annotated[str, Identifier]

# Of a comparison's rows: what is wrong with them.
WHAT = "what"


def _one_or_more(value: Any) -> Any:
    is_one = isinstance(value, list) and all(isinstance(one, str) for one in value)
    return [value] if is_one and value else value


Indexes = Annotated[tuple[tuple[Name, ...], ...], BeforeValidator(_one_or_more)]


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
