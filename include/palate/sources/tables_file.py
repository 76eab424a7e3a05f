"""What a ``tables.yaml`` may say; anything else is refused with a sentence."""

import re
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from palate.names import Identifier

Name = Annotated[str, Identifier]

_TYPE = re.compile(r"^(\w+)(?:\((\d+)(?:, ?(\d+))?\))?$")
# Of texts without a length of their own: no message has more in the vault.
_LONGEST = {"text": 1_000, "jsonb": 100_000}


class Base(StrEnum):
    """The types of columns that can be read from a change."""

    CHAR = "char"
    VARCHAR = "varchar"
    TEXT = "text"
    JSONB = "jsonb"
    INTEGER = "integer"
    NUMERIC = "numeric"
    TIMESTAMPTZ = "timestamptz"
    POINT = "point"

    @property
    def is_text(self) -> bool:
        """Return whether a value is kept as the text that it comes as."""
        return self in (Base.CHAR, Base.VARCHAR, Base.TEXT)

    @property
    def in_warehouse(self) -> str:
        """Return the type of a column that takes its values from the database."""
        if self is Base.INTEGER:
            return "bigint"  # it may have become one there
        return "text" if self.is_text else self.value

    @property
    def may_be_unavailable(self) -> bool:
        """Return whether a value may be so large that an update leaves it out."""
        return self.is_text or self is Base.JSONB


# How many numbers follow a type's name, where it is not without any.
_NUMBERS = {Base.CHAR: {1}, Base.VARCHAR: {1}, Base.NUMERIC: {2}, Base.TEXT: {0, 1}}


class ColumnType(BaseModel):
    """A column's type: ``char(6)``, ``numeric(10, 2)``, ``text(100000)``.

    ``size`` is the most characters, or digits; ``decimals`` those after the point.
    """

    model_config = ConfigDict(frozen=True)

    base: Base
    size: int = 0
    decimals: int = 0

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the type that a definition names.

        :raises ValueError: if it is none of those that are known
        """
        found = _TYPE.match(text)
        known = ", ".join(Base)
        if not found or found[1] not in list(Base):
            message = f"{text} is no type of {known}, with its length where it has one"
            raise ValueError(message)
        base, numbers = Base(found[1]), [int(n) for n in found.groups()[1:] if n]
        if len(numbers) not in _NUMBERS.get(base, {0}):
            message = f"{text} has no length, or another one than its type needs"
            raise ValueError(message)
        size = numbers[0] if numbers else _LONGEST.get(base, 0)
        return cls(base=base, size=size, decimals=(*numbers, 0, 0)[1])


class TableFile(BaseModel):
    """One table: its key and its other columns, as its owner declares them.

    ``hub_keys`` are columns of its relation: the key of a hub, made of one column or
    more, each in the namespace of the key before. Without any it makes no relation.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: dict[Name, str] = Field(min_length=1)
    columns: dict[Name, str] = {}
    nullable: tuple[Name, ...] = ()
    hub_keys: dict[Name, tuple[Name, ...]] = {}

    @field_validator("key", "columns")
    @classmethod
    def _are_types(cls, columns: dict[str, str]) -> dict[str, str]:
        for type in columns.values():
            ColumnType.read(type)
        return columns

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for name, type in self.key.items():
            base = ColumnType.read(type).base
            if not base.is_text and base is not Base.INTEGER:
                message = f"key: {name} is a {base}; a key is text or integer"
                raise ValueError(message)
        both = self.key.keys() & self.columns.keys()
        if both:
            message = f"{', '.join(sorted(both))} is in key, so it is no other column"
            raise ValueError(message)
        for name in self.nullable:
            if name not in self.columns:
                message = f"nullable names {name}, which is none of columns"
                raise ValueError(message)
        for key, names in self.hub_keys.items():
            for name in names:
                if name not in self.key and name not in self.columns:
                    message = f"hub_keys: {key} names {name}, which is no column"
                    raise ValueError(message)
        return self


class TablesFile(BaseModel):
    """The whole file: the tables of one schema whose changes come."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # The database of the connector, and the schema; the names of topics end with them.
    connector: Annotated[str, Field(pattern=r"^[a-z]+$")]
    # ``schema`` is a name of pydantic's.
    of_schema: Name = Field(alias="schema")
    tables: dict[Name, TableFile] = Field(min_length=1)
