"""The vault's tables, as their definition files say (ADR 0003).

One YAML file per table in an area's ``dds/{hubs,links,satellites}``. From it come the
table, its load, its description in the database, its tests and its docs.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from palate.definition_files import mapping, valid
from palate.errors import DefinitionError
from palate.names import AREAS_FOLDER, LOAD_DT, LOAD_SRC
from palate.vault.kinds import (
    Extension,
    Grain,
    Hub,
    Kind,
    Link,
    PayloadColumn,
    Record,
    Satellite,
    Table,
)

_POSITION_TYPES = {
    "topic": 'text COLLATE "C"',
    "epoch": "integer",
    "kafka_partition": "integer",
    "kafka_offset": "bigint",
}


class Vault:
    """The definitions of one area or all, and the columns and keys that follow."""

    def __init__(
        self,
        definitions: list[Table],
        others: Iterable[Table] = (),
    ) -> None:
        """Check that every table that a definition names is defined.

        :param definitions: what is made and loaded
        :param others: tables of other areas that they refer to
        """
        self.tables = {item.table: item for item in (*others, *definitions)}
        self._loaded = definitions
        for item in definitions:
            names = item.hub_keys if isinstance(item, Link) else ()
            for name in names:
                if not isinstance(self.tables.get(name), Hub):
                    message = (
                        f"{item.path}: hub_keys names {name}, but there is no hub "
                        f"of that name. Add sql/areas/{item.area}/dds/hubs/{name}.yaml "
                        "or correct it."
                    )
                    raise DefinitionError(message)
            if isinstance(item, Satellite):
                parent = self.tables.get(item.parent)
                if not isinstance(parent, Hub | Link):
                    message = (
                        f"{item.path}: its parent {item.parent} is no hub or link. "
                        "Add the parent's file or correct the name."
                    )
                    raise DefinitionError(message)

    @cached_property
    def in_load_order(self) -> list[Table]:
        """Return records, satellites, then links, then hubs, each by name.

        All loads lock the tables in this order. New hub keys, for which one load may
        have to wait for another, come last.
        """
        order = list(reversed(Kind))
        return sorted(
            self._loaded, key=lambda item: (order.index(item.kind), item.table)
        )

    def context(self, item: Table) -> dict[str, Any]:
        """Return what the templates of the item's kind need."""
        if isinstance(item, Hub):
            specific = self._hub_context(item)
        elif isinstance(item, Link):
            specific = self._link_context(item)
        elif isinstance(item, Record):
            specific = self._record_context(item)
        else:
            specific = self._satellite_context(item)
        types: dict[str, str] = specific["typed_columns"] | {
            LOAD_DT: "timestamptz",
            LOAD_SRC: 'text COLLATE "C"',
        }
        common = {
            "table": item.table,
            "description": item.description.strip(),
            "sources": list(item.source),
            "indexes": [list(columns) for columns in item.index],
            "nullable": [],
            "least": [],
            "identity": [],
        }
        return common | specific | {"typed_columns": types, "columns": list(types)}

    def check_context(self, item: Table) -> dict[str, Any]:
        """Return what the checks of the item's kind need."""
        context = self.context(item)
        if isinstance(item, Link):
            hubs = [_row_named_by(self.tables[name]) for name in item.hub_keys]
            return context | {"hubs": hubs}
        if isinstance(item, Satellite):
            return context | {"parent": _row_named_by(self.tables[item.parent])}
        return context

    def _hub_context(self, item: Hub) -> dict[str, Any]:
        key = {item.key: "uuid"}
        business = {name: _text(type) for name, type in item.business_keys.items()}
        return {
            "key": item.key,
            "business_keys": list(business),
            "least": list(item.least),
            "primary_key": list(business) if item.clustered else [item.key],
            "typed_columns": key | business | item.least,
            "unique": [[item.key]] if item.clustered else [],
        }

    def _link_context(self, item: Link) -> dict[str, Any]:
        hubs = [self._hub(name) for name in item.hub_keys]
        carried = self._carried(hubs)
        keys = [hub.key for hub in hubs]
        lead = [next(iter(h.business_keys)) if h.clustered else h.key for h in hubs]
        return {
            "key": item.key,
            "key_expression": _link_key_expression([f"s.{key}" for key in keys]),
            "hub_keys": keys,
            "carried": list(carried),
            "clustered_by": _clustered_by(hubs),
            "primary_key": lead,
            "typed_columns": {item.key: "uuid"} | carried | dict.fromkeys(keys, "uuid"),
            "unique": [],
        }

    def _satellite_context(self, item: Satellite) -> dict[str, Any]:
        parent = self.tables[item.parent]
        if item.grain is Grain.VERSION:
            return self._version_context(item, parent)
        if isinstance(parent, Hub):
            hubs, expression = [parent], parent.key
            parent_key = parent.key
        elif isinstance(parent, Link):
            hubs = [self._hub(name) for name in parent.hub_keys]
            expression = _link_key_expression([hub.key for hub in hubs])
            parent_key = parent.key
        else:
            raise TypeError(item.parent)
        carried = self._carried(hubs)
        types, origins = _payload(item.payload)
        child = {item.child_key: "integer"} if item.child_key else {}
        position = _POSITION_TYPES if item.grain is Grain.MESSAGE else {}
        lead = list(carried) or [parent_key]
        hash_key = [item.hashdiff] if item.grain is Grain.CONTENT else []
        version = [*lead, "version_dt"]
        return {
            "parent_key": parent_key,
            "parent_expression": expression,
            "carried": list(carried),
            "clustered_by": _clustered_by(hubs),
            "payload": list(item.payload),
            "payload_from": origins,
            "hashdiff": item.hashdiff,
            # The lines of one version share one hashdiff: that of all of them.
            "hashdiff_in_source": bool(child) and item.grain is Grain.CONTENT,
            "extra_keys": [*position, *child],
            "required": list(item.required),
            "nullable": [name for name in item.payload if name not in item.required],
            # A stage finds the rows of a range of positions by their key.
            "primary_key": [*(position or [*version, *hash_key]), *child],
            "indexes": [list(columns) for columns in item.index]
            or ([version] if position else []),
            "typed_columns": {parent_key: "uuid"}
            | carried
            | {"version_dt": "timestamp"}
            | dict.fromkeys([item.hashdiff] if item.has_hashdiff else [], "uuid")
            | position
            | child
            | types,
            "unique": [],
        }

    def _version_context(self, item: Satellite, parent: Table) -> dict[str, Any]:
        if isinstance(parent, Link):
            keys = [self._hub(name).key for name in parent.hub_keys]
            return _versions(item, parent.key, _link_key_expression(keys))
        if isinstance(parent, Hub):
            return _versions(item, parent.key, parent.key)
        raise TypeError(item.parent)

    def _record_context(self, item: Record) -> dict[str, Any]:
        return _versions(item)

    def _hub(self, name: str) -> Hub:
        hub = self.tables[name]
        if not isinstance(hub, Hub):
            raise TypeError(name)
        return hub

    def _carried(self, hubs: list[Hub]) -> dict[str, str]:
        return {
            name: _text(type)
            for hub in hubs
            if hub.clustered
            for name, type in hub.business_keys.items()
        }


def _payload(
    columns: dict[str, str | PayloadColumn],
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the types of columns, and the source's columns that they come from."""
    types: dict[str, str] = {}
    origins: dict[str, str] = {}
    for name, column in columns.items():
        renamed = isinstance(column, PayloadColumn)
        types[name] = _text(column.type if renamed else column)  # type: ignore
        origins[name] = column.origin if renamed else name  # type: ignore
    return types, origins


def _versions(
    item: Satellite | Record, parent_key: str | None = None, expression: str = ""
) -> dict[str, Any]:
    """Return the context of a table with one row per identity."""
    types, origins = _payload(item.payload)
    lead = [parent_key] if parent_key else []
    identity = [*lead, *item.identity]
    return {
        "parent_key": parent_key,
        "parent_expression": expression,
        "payload_from": origins,
        "identity": identity,
        "nullable": [name for name in item.payload if name not in item.required],
        # A stage finds the rows of a range of positions by their key. Of a record, one
        # message may say several.
        "primary_key": list(_POSITION_TYPES) if parent_key else identity,
        "typed_columns": dict.fromkeys(lead, "uuid") | types | _POSITION_TYPES,
        "unique": [],
    }


def _row_named_by(item: Table) -> dict[str, Any]:
    """Return the columns by which others refer to a row of a hub or a link."""
    if not isinstance(item, Hub | Link):
        raise TypeError(item.table)
    columns = [item.key]
    if isinstance(item, Hub) and item.clustered:
        columns = [*item.business_keys, item.key]
    return {"table": item.table, "key": item.key, "columns": columns}


def _clustered_by(hubs: list[Hub]) -> str | None:
    return next((hub.table for hub in hubs if hub.clustered), None)


@lru_cache(maxsize=16)
def load_vault(area: str | None = None, *, folder: Path = AREAS_FOLDER) -> Vault:
    """Read and check the definition files of one area, or of all.

    One area's vault loads its own tables, and the hubs of other areas that it extends,
    from its own relations; it knows the tables of others that these refer to.

    :raises DefinitionError: names the file, the field and what to do
    """
    own: dict[str, Table] = {}
    extensions: list[Extension] = []
    for path, item in _read_all(folder, area or "*"):
        if isinstance(item, Extension):
            extensions.append(item)
        elif item.table in own:
            message = (
                f"{path}: there is already a definition of {item.table}. "
                "A table has one file; remove one of the two."
            )
            raise DefinitionError(message)
        else:
            own[item.table] = item
    if area is None:
        for one in extensions:
            one.extended(own)
        return Vault(list(own.values()))
    others = _referred_to(folder, own, extensions)
    extended = [one.extended(others) for one in extensions]
    return Vault([*own.values(), *extended], others.values())


def _referred_to(
    folder: Path,
    own: dict[str, Table],
    extensions: Iterable[Extension],
) -> dict[str, Table]:
    """Return the tables of other areas that some definitions refer to."""
    found: dict[str, Table] = {}
    wanted = {one.table for one in extensions}
    for item in own.values():
        wanted |= set(_references(item)) - own.keys()
    while wanted - found.keys():
        table = min(wanted - found.keys())
        there = _find(folder, table)
        if there is None:
            wanted.discard(table)  # whoever refers to it says so
            continue
        found[table] = there
        wanted |= set(_references(there)) - own.keys()
    return found


def _find(folder: Path, table: str) -> Table | None:
    """Return a table of whichever area; files that extend it need not be right.

    :raises DefinitionError: if it may be in a file that can't be read
    """
    wrong = None
    for area in sorted(path.name for path in folder.iterdir()):
        try:
            for _, item in _read_all(folder, area, table):
                if not isinstance(item, Extension):
                    return item
        except DefinitionError as error:
            wrong = wrong or error
    if wrong:
        raise wrong
    return None


def _references(item: Table) -> tuple[str, ...]:
    if isinstance(item, Link):
        return item.hub_keys
    return (item.parent,) if isinstance(item, Satellite) else ()


def _read_all(
    folder: Path, area: str, table: str = "*"
) -> Iterator[tuple[Path, Table | Extension]]:
    models: dict[Kind, type[Table]] = {
        Kind.HUB: Hub,
        Kind.LINK: Link,
        Kind.SATELLITE: Satellite,
        Kind.RECORD: Record,
    }
    for kind, model in models.items():
        for path in sorted(folder.glob(f"{area}/dds/{kind.value}/{table}.y*ml")):
            yield path, _read(path, model)


def _read(path: Path, model: type[Table]) -> Table | Extension:
    values = mapping(path)
    kind: type[Table | Extension] = model
    if model is Hub and "extends" in values:
        kind = Extension
    known = {"table": path.stem, "area": path.parents[2].name}
    return valid(path, kind, values | known, "Add a satellite")


def _text(type: str) -> str:
    # Text compares by bytes everywhere, whatever the database's locale is.
    return 'text COLLATE "C"' if type == "text" else type


def _link_key_expression(keys: list[str]) -> str:
    # A version-5 UUID of the second key in the namespace of the first one.
    return f"uuid_generate_v5({keys[0]}, {keys[1]}::text)"
