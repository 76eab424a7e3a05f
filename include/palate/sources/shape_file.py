"""What a ``shape.yaml`` may say; anything else is refused with a sentence."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

# A path becomes a column's name and stands in SQL. PostgreSQL folds the names of
# columns that an element of a list is unpacked to.
Path = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")]
Member = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$")]
Text = Annotated[str, Field(pattern=r"^[^'\\]*$")]
Group = dict[Path, str]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ShapeKind(_Part):
    """How a message says that it is one of its source."""

    field: Member
    text: Text
    otherwise: Member


class ShapeType(_Part):
    """What a value must be."""

    # A field's name, as it is said in JSON.
    json_: Literal["string", "number"] = Field(alias="json")
    whole: bool = False
    decimals: int | None = Field(default=None, ge=0)
    least: int | None = None
    most: int | None = None
    shortest: int | None = Field(default=None, ge=0)
    longest: int | None = Field(default=None, ge=0)
    time: bool = False

    @model_validator(mode="after")
    def _has_limits(self) -> Self:
        given = self.model_fields_set - {"json_"}
        limits, more = {"least", "most"}, {"whole", "decimals"}
        if self.json_ == "string":
            limits, more = ({"time"} if self.time else {"shortest", "longest"}), set()
        if not limits <= given <= limits | more:
            message = (
                "a number has least and most, and may have whole or decimals; a "
                "string has shortest and longest, or time"
            )
            raise ValueError(message)
        return self


class ShapeElement(_Part):
    """The fields of each element of a list."""

    required: dict[Member, str] = {}
    optional: dict[Member, str] = {}


class ShapeForm(_Part):
    """One form of messages."""

    required: Group = {}
    optional: Group = {}
    lists: dict[Path, ShapeElement] = {}
    equal: dict[Path, Path] = {}
    version_time: str


class ShapeFile(_Part):
    """The whole file."""

    kind: ShapeKind
    types: dict[str, ShapeType]
    forms: dict[Member, ShapeForm] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_what_it_has(self) -> Self:
        problems = [
            *(f"there is no type {type}" for type in self._used() - self.types.keys()),
            *(
                f"version_time of {name} names {form.version_time}, which is none of "
                "its required fields of a type with time"
                for name, form in self.forms.items()
                if not self._is_time(form.required.get(form.version_time))
            ),
        ]
        if problems:
            raise ValueError("; ".join(sorted(problems)))
        return self

    def _is_time(self, type: str | None) -> bool:
        # One that is not there is told already.
        return type is not None and (type not in self.types or self.types[type].time)

    def _used(self) -> set[str]:
        return {
            type
            for form in self.forms.values()
            for group in _groups(form)
            for type in group.values()
        }


def _groups(form: ShapeForm) -> Iterator[dict[str, str]]:
    yield from (form.required, form.optional)
    for element in form.lists.values():
        yield from (element.required, element.optional)
