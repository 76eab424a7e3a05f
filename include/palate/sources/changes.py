"""From a source's ``tables.yaml`` to the SQL that judges changes of these tables.

The messages are a database's rows as change data capture sends them: what a snapshot
has read, inserts, updates, deletes, truncates (ADR 0035). Each rule is a condition over
the columns of ``engine/changes/judged.sql``: ``row_after`` is the row as it became,
``row_key`` its key. Rules are evaluated in their order, so a later one may rely on
those before it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from palate.definition_files import mapping, valid
from palate.names import Reason
from palate.sources.changed_columns import Column
from palate.sources.tables_file import Base, ColumnType, TableFile, TablesFile

# Reasons that only changes have.
NOT_A_CHANGE, OTHER_SOURCE = "not_a_change", "other_source"

_MOST_LSN = 2**63 - 1
# 0001-01-01 and the end of 9999, in microseconds.
_YEARS = (-62_135_596_800_000_000, 253_402_300_799_999_999)


@dataclass(frozen=True)
class Rule:
    """What must hold, and the reason and sentence for refusing a message."""

    reason: str
    detail: str
    condition: str

    @property
    def problem(self) -> str:
        """Return reason and sentence as one text of SQL."""
        return f"{self.reason}: {self.detail}".replace("'", "''")


@dataclass(frozen=True)
class ChangedTable:
    """One table whose changes come, each on the topic of its own."""

    name: str
    connector: str
    schema: str
    key: tuple[Column, ...]
    columns: tuple[Column, ...]
    hub_keys: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def names(self) -> list[str]:
        """Return the names of all its columns."""
        return [one.name for one in (*self.key, *self.columns)]

    @property
    def nullable(self) -> list[str]:
        """Return the columns that may be missing in a row."""
        return [one.name for one in self.columns if one.is_nullable]

    @property
    def unavailable(self) -> list[Column]:
        """Return the columns that an update may leave out."""
        return [one for one in self.columns if one.type.base.may_be_unavailable]

    def hub_key(self, names: tuple[str, ...]) -> str:
        """Return SQL for a hub's key: each column in the namespace of the one before.

        It reads the typed columns of ``t``, and needs the parameter ``namespace``.
        """
        found = "%(namespace)s::uuid"
        for name in names:
            found = f"uuid_generate_v5({found}, t.{name}::text)"
        return found

    @cached_property
    def rules(self) -> list[Rule]:
        """Return all rules, in the order to evaluate them."""
        found = list(self._of_columns())
        return [
            *self._of_envelope(),
            *(rule for rule in found if rule.reason == Reason.WRONG_SHAPE),
            *self._of_technical_ranges(),
            *(rule for rule in found if rule.reason == Reason.OUT_OF_RANGE),
        ]

    def _of_envelope(self) -> Iterator[Rule]:
        yield Rule(
            Reason.NOT_JSON,
            "the value is not JSON as jsonb takes it: empty, not UTF-8, or malformed",
            "doc IS NOT NULL",
        )
        yield Rule(
            Reason.NOT_JSON,
            "the key is not JSON as jsonb takes it: not UTF-8, or malformed",
            "has_no_key OR key_doc IS NOT NULL",
        )
        yield Rule(
            NOT_A_CHANGE,
            "it is no object with op, one of r c u d t, and source, of a connector for "
            f"{self.connector}",
            "jsonb_typeof(doc) = 'object'"
            # In the source's own feed there is nothing but what a comparison has read.
            " AND CASE WHEN is_own THEN (doc -> 'op') = '\"x\"'"
            " ELSE (doc -> 'op') = ANY (ARRAY['\"r\"', '\"c\"', '\"u\"', '\"d\"',"
            " '\"t\"']::jsonb[]) END AND jsonb_typeof(doc -> 'source') = 'object'"
            f" AND (doc #> '{{source,connector}}') = '\"{self.connector}\"'",
        )
        yield Rule(
            OTHER_SOURCE,
            "source names another database, schema or table than the topic",
            f"(doc #> '{{source,schema}}') = '\"{self.schema}\"'"
            f" AND (doc #> '{{source,table}}') = '\"{self.name}\"'"
            " AND jsonb_typeof(doc #> '{source,name}') = 'string'"
            " AND (is_own OR topic = (doc #>> '{source,name}')"
            f" || '.{self.schema}.{self.name}')",
        )
        lsn, moment = _json("{source,lsn}"), _json("{source,ts_us}")
        yield Rule(
            Reason.WRONG_SHAPE,
            "source.lsn must be a whole number; a read may have none",
            f"(op = 'r' AND coalesce(jsonb_typeof({lsn}), 'null') = 'null')"
            f" OR {_is_whole(lsn)}",
        )
        yield Rule(
            Reason.WRONG_SHAPE,
            "source.ts_us must be a whole number",
            _is_whole(moment),
        )
        yield Rule(
            Reason.WRONG_SHAPE,
            "after must be an object",
            "op IN ('d', 't') OR jsonb_typeof(row_after) = 'object'",
        )
        yield Rule(
            Reason.WRONG_SHAPE,
            "the key must be an object",
            "op = 't' OR jsonb_typeof(row_key) = 'object'",
        )

    def _of_technical_ranges(self) -> Iterator[Rule]:
        lsn, moment = _json("{source,lsn}"), _json("{source,ts_us}")
        low, high = 0, _MOST_LSN
        yield Rule(
            Reason.OUT_OF_RANGE,
            f"source.lsn must be from {low} to {high}",
            f"coalesce(({lsn} #>> '{{}}')::numeric BETWEEN {low} AND {high}, TRUE)",
        )
        low, high = _YEARS
        yield Rule(
            Reason.OUT_OF_RANGE,
            "source.ts_us must be a time of the years 1 to 9999",
            f"({moment} #>> '{{}}')::numeric BETWEEN {low} AND {high}",
        )

    def _of_columns(self) -> Iterator[Rule]:
        for one in self.key:
            what, condition = one.shape("row_key")
            yield Rule(
                Reason.WRONG_SHAPE,
                f"{one.name} of the key must {what}",
                f"op = 't' OR ({condition})",
            )
            limits = one.range("row_key")
            if limits:
                yield Rule(
                    Reason.OUT_OF_RANGE,
                    f"{one.name} of the key must {limits[0]}",
                    f"op = 't' OR ({limits[1]})",
                )
            yield Rule(
                Reason.WRONG_SHAPE,
                f"{one.name} must be the same in the key and in the row",
                self._agrees(one),
            )
        for one in self.columns:
            missing = one.may_be_missing
            allowed = f"op IN ('d', 't') OR {missing + ' OR ' if missing else ''}"
            what, condition = one.shape()
            word = ", if any, must" if one.is_nullable else " must"
            yield Rule(
                Reason.WRONG_SHAPE,
                f"{one.name}{word} {what}",
                f"{allowed}({condition})",
            )
            limits = one.range()
            if limits:
                yield Rule(
                    Reason.OUT_OF_RANGE,
                    f"{one.name}{word} {limits[0]}",
                    f"{allowed}({limits[1]})",
                )

    def _agrees(self, one: Column) -> str:
        def value(row: str) -> str:
            if one.type.base is Base.CHAR:
                return f"rtrim({one.text(row)}, ' ')"
            return one.text(row) if one.type.base.is_text else one.json(row)

        kind = f"jsonb_typeof({one.json('{}')})"
        is_same = "{0} = {1} AND {2} = {3}"
        after, before = (
            is_same.format(
                value(row),
                value("row_key"),
                kind.format(row),
                kind.format("row_key"),
            )
            for row in ("row_after", "row_before")
        )
        none = f"coalesce({kind.format('row_before')}, 'null') = 'null'"
        return (
            f"CASE WHEN op IN ('r', 'c', 'u') THEN {after}"
            f" WHEN op = 'd' THEN ({none}) OR ({before}) ELSE TRUE END"
        )


def load_changed_tables(path: Path) -> list[ChangedTable]:
    """Return the tables of a ``tables.yaml``.

    :raises DefinitionError: names the file, the fields and what to do
    """
    file = valid(path, TablesFile, mapping(path), "Add a source")
    return [
        ChangedTable(
            name,
            file.connector,
            file.of_schema,
            tuple(_columns(table.key, table)),
            tuple(_columns(table.columns, table)),
            tuple(table.hub_keys.items()),
        )
        for name, table in file.tables.items()
    ]


def _columns(of: dict[str, str], table: TableFile) -> Iterator[Column]:
    for name, type in of.items():
        yield Column(name, ColumnType.read(type), name in table.nullable)


def _json(path: str) -> str:
    return f"(doc #> '{path}')"


def _is_whole(json: str) -> str:
    return (
        f"CASE WHEN jsonb_typeof({json}) = 'number'"
        f" THEN ({json} #>> '{{}}')::numeric %% 1 = 0 END"
    )
