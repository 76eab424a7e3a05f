"""The kinds of tables in the vault, as their definition files say (ADR 0003)."""

from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from palate.errors import DefinitionError
from palate.names import Identifier, hashdiff, hub_key, link_key


def _is_empty(value: tuple[str, ...]) -> bool:
    return not value


def _refuse_unknown_identity(
    identity: tuple[str, ...], columns: dict[str, Any]
) -> None:
    for name in identity:
        if name not in columns:
            message = f"identity names {name}, which is no column of payload"
            raise ValueError(message)


class Kind(StrEnum):
    """The kinds of tables in the vault; the values are their folders.

    A record is what messages say about no single thing: about a whole table, say.
    """

    HUB = "hubs"
    LINK = "links"
    SATELLITE = "satellites"
    RECORD = "records"

    @property
    def template(self) -> str:
        """Return the name of the template that loads a table of this kind."""
        return self.value.removesuffix("s")


class Grain(StrEnum):
    """What one row of a satellite is.

    ``content``: one version of the payload, however often it was sent. ``message``: one
    message that had it, so that ties can be decided by position. ``version``: what the
    columns of ``identity`` tell apart, at the first position at which it came.
    """

    CONTENT = "content"
    MESSAGE = "message"
    VERSION = "version"


# The template of a row per version: the first position of each identity counts.
_VERSION = "version"


class PayloadColumn(BaseModel):
    """A column of a satellite that has another name in its source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str
    origin: str = Field(alias="from")


class Definition(BaseModel):
    """The fields that all three kinds have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    table: str = Identifier
    # The folder below sql/areas: no part of what the table means.
    area: str = Field(exclude=True)
    description: str = Field(min_length=10)
    source: tuple[str, ...] = Field(min_length=1)
    # One index's columns, or a list of several indexes'.
    index: tuple[tuple[str, ...], ...] = ()

    @property
    def path(self) -> str:
        """Return the definition's path, for messages."""
        return f"sql/areas/{self.area}/dds/{self.kind.value}/{self.table}.yaml"

    @property
    def template(self) -> str:
        """Return the name of the template that loads the table."""
        return self.kind.template

    @field_validator("index", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        is_one = isinstance(value, list) and all(isinstance(one, str) for one in value)
        return [value] if is_one and value else value


class Hub(Definition):
    """A hub: the business keys of one thing."""

    kind: Literal[Kind.HUB] = Kind.HUB
    business_keys: dict[str, str] = Field(min_length=1)
    clustered: bool = False
    least: dict[str, str] = {}

    @model_validator(mode="after")
    def _is_clustered_by_one(self) -> Self:
        if self.clustered and len(self.business_keys) > 1:
            message = "business_keys: a clustered hub has one"
            raise ValueError(message)
        return self

    @property
    def key(self) -> str:
        """Return the hub's key column."""
        return hub_key(self.table)


class Link(Definition):
    """A link: which keys of two hubs occurred together."""

    kind: Literal[Kind.LINK] = Kind.LINK
    hub_keys: tuple[str, str]

    @property
    def key(self) -> str:
        """Return the link's key column."""
        return link_key(self.table)


class Satellite(Definition):
    """A satellite: what is known about a hub or a link, every version of it."""

    kind: Literal[Kind.SATELLITE] = Kind.SATELLITE
    parent: str = Identifier
    grain: Grain = Grain.CONTENT
    payload: dict[str, str | PayloadColumn] = Field(min_length=1)
    child_key: str | None = None
    required: tuple[str, ...] = ()
    # Off where every message is a row of its own, and contents are never compared.
    has_hashdiff: bool = True
    # Left out of what older tables mean: they have none.
    identity: tuple[str, ...] = Field(default=(), exclude_if=_is_empty)

    @model_validator(mode="after")
    def _has_what_its_grain_needs(self) -> Self:
        if (self.grain is Grain.VERSION) != bool(self.identity):
            message = "identity belongs to the grain version, and only to that"
            raise ValueError(message)
        if self.identity and (self.has_hashdiff or self.child_key):
            message = (
                "of the grain version no contents are compared: has_hashdiff is false, "
                "and there is no child_key"
            )
            raise ValueError(message)
        _refuse_unknown_identity(self.identity, self.payload)
        return self

    @property
    def template(self) -> str:
        """Return the name of the template that loads the table."""
        return _VERSION if self.identity else super().template

    @property
    def hashdiff(self) -> str:
        """Return the satellite's hashdiff column."""
        return hashdiff(self.table)


class Record(Definition):
    """A record: what messages say about no hub, once for each identity."""

    kind: Literal[Kind.RECORD] = Kind.RECORD
    identity: tuple[str, ...] = Field(min_length=1)
    payload: dict[str, str | PayloadColumn] = Field(min_length=1)
    required: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_identified_by_its_columns(self) -> Self:
        _refuse_unknown_identity(self.identity, self.payload)
        return self

    @property
    def template(self) -> str:
        """Return the name of the template that loads the table."""
        return _VERSION


# A table of the vault, of whatever kind.
Table = Hub | Link | Satellite | Record


class Extension(BaseModel):
    """Further relations that feed a hub of another area, from a file of this area.

    They are no part of what that hub means: a key is a key, whoever names it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str = Identifier
    area: str
    extends: str = Identifier
    source: tuple[str, ...] = Field(min_length=1)

    @property
    def path(self) -> str:
        """Return the file's path, for messages."""
        return f"sql/areas/{self.area}/dds/hubs/{self.table}.yaml"

    def extended(self, tables: dict[str, Table]) -> Hub:
        """Return the hub, as this area loads it.

        :raises DefinitionError: if the other area has no such hub
        """
        hub = tables.get(self.table)
        if not isinstance(hub, Hub) or hub.area != self.extends:
            message = (
                f"{self.path}: it extends {self.table} of the area {self.extends}, but "
                f"there is no sql/areas/{self.extends}/dds/hubs/{self.table}.yaml. "
                "Correct the name."
            )
            raise DefinitionError(message)
        return hub.model_copy(update={"source": self.source})
