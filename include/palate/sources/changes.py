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
from palate.sources.tables_file import Base, ColumnType, TableFile, TablesFile

# Stands for a value that is large and unchanged; the older version has it.
UNAVAILABLE = "__debezium_unavailable_value"

# Reasons that only changes have.
NOT_A_CHANGE, OTHER_SOURCE = "not_a_change", "other_source"

_INT8, _INT4 = (-(2**63), 2**63 - 1), (-(2**31), 2**31 - 1)
# 0001-01-01 and the end of 9999, in microseconds.
_YEARS = (-62_135_596_800_000_000, 253_402_300_799_999_999)

_MOMENT = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?"
    r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
)
# Of years that don't have four digits, and what has no end.
_ODD_MOMENT = r"[+-]?[0-9]{5,}-[0-9].*|-[0-9]{4,}-.*|[+-]?infinity"
_CLOCK = (
    r"T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?"
    r"(Z|[+-](0[0-9]|1[0-5])(:?[0-5][0-9])?)"
)
_DAY = (
    r"[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])"
    r"|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
)
_LEAP = r"([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29"
_NUMBER = r"[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]{1,3})?"
_ODD_NUMBER = r"[+-]?(nan|inf|infinity)"
_DIGITS = r"[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?"


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
class Column:
    """A column of a changed table, in SQL over the row's jsonb."""

    name: str
    type: ColumnType
    is_nullable: bool = False

    def json(self, row: str = "row_after") -> str:
        """Return SQL for its value as jsonb."""
        return f"({row} -> '{self.name}')"

    def text(self, row: str = "row_after") -> str:
        """Return SQL for its value as text; that of a JSON null is NULL."""
        return f"({row} ->> '{self.name}')"

    def value(self, row: str = "row_after") -> str:
        """Return SQL for its value, in the type of the vault."""
        text, type = self.text(row), self.type
        if type.base is Base.POINT:
            x, y = (f"({self.json(row)} ->> '{axis}')::float8" for axis in "xy")
            return f"point({x}, {y})"
        if type.base is Base.INTEGER:
            return f"{self.json(row)}::integer"
        if type.base is Base.NUMERIC:
            return f"{text}::numeric({type.size}, {type.decimals})"
        if type.base is Base.TIMESTAMPTZ:
            return f"{text}::timestamptz"
        known = f"nullif({text}, '{UNAVAILABLE}')"
        if type.base is Base.JSONB:
            return f"{known}::jsonb"
        return f"rtrim({known}, ' ')" if type.base is Base.CHAR else known

    @property
    def in_source(self) -> str:
        """Return SQL for its value in the source's own table ``t``."""
        value = f"t.{self.name}"
        if self.type.base is Base.CHAR:
            return f"rtrim({value}::text, ' ')"
        return f"{value}::text" if self.type.base.is_text else value

    @property
    def comparable(self) -> list[str]:
        """Return SQL for what is compared of its value, which is ``?``."""
        return ["(?)[0]", "(?)[1]"] if self.type.base is Base.POINT else ["?"]

    def as_sent(self, value: str) -> str:
        """Return SQL for a value, coded as a connector sends it."""
        base = self.type.base
        if base in (Base.JSONB, Base.NUMERIC):
            return f"{value}::text"
        if base is Base.TIMESTAMPTZ:
            form = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
            return f"to_char({value} AT TIME ZONE 'UTC', {form})"
        if base is Base.POINT:
            return f"jsonb_build_object('x', ({value})[0], 'y', ({value})[1])"
        return value

    def shape(self, row: str = "row_after") -> tuple[str, str]:
        """Return what it must be, and the condition."""
        json, text, base = self.json(row), self.text(row), self.type.base
        kind = f"jsonb_typeof({json})"
        if base.is_text:
            return "be a text", f"{kind} = 'string'"
        if base is Base.JSONB:
            made = f"stg.jsonb_or_null(convert_to({text}, 'UTF8')) IS NOT NULL"
            return "be a text that is JSON", f"{kind} = 'string' AND ({made})"
        if base is Base.INTEGER:
            whole = f"CASE WHEN {kind} = 'number' THEN {text}::numeric %% 1 = 0 END"
            return "be a whole number", whole
        if base is Base.NUMERIC:
            is_one = f"{text} ~* '^({_DIGITS}|{_ODD_NUMBER})$'"
            return "be a number, or a text that is one", (
                f"{kind} IN ('number', 'string') AND {is_one}"
            )
        if base is Base.TIMESTAMPTZ:
            is_one = f"({text} ~ '^{_MOMENT}$' OR {text} ~* '^({_ODD_MOMENT})$')"
            return "be a time with an offset", f"{kind} = 'string' AND {is_one}"
        axes = [f"({json} -> '{axis}')" for axis in "xy"]
        numbers = [
            f"(jsonb_typeof({axis}) = 'number'"
            f" OR {axis} #>> '{{}}' ~* '^{_ODD_NUMBER}$')"
            for axis in axes
        ]
        return "be a point with x and y", " AND ".join([f"{kind} = 'object'", *numbers])

    def range(self, row: str = "row_after") -> tuple[str, str] | None:
        """Return the limits of a value that has the right shape, and the condition."""
        json, text, type = self.json(row), self.text(row), self.type
        if type.base.is_text or type.base is Base.JSONB:
            length = f"char_length({text})"
            if type.base is Base.CHAR:
                length = f"char_length(rtrim({text}, ' '))"
            return f"have at most {type.size} characters", f"{length} <= {type.size}"
        if type.base is Base.INTEGER:
            low, high = _INT4
            return (
                f"be from {low} to {high}",
                f"{text}::numeric BETWEEN {low} AND {high}",
            )
        if type.base is Base.NUMERIC:
            before = type.size - type.decimals
            few = (
                f"abs({text}::numeric) < 1e{before}"
                f" AND scale(trim_scale({text}::numeric)) <= {type.decimals}"
            )
            return (
                f"have at most {before} digits before the point, {type.decimals} after",
                f"CASE WHEN {text} ~ '^{_NUMBER}$' THEN {few} END",
            )
        if type.base is Base.TIMESTAMPTZ:
            exists = f"{text} ~ '^(({_DAY})|({_LEAP})){_CLOCK}$'"
            return (
                "be a time that exists, of the years 1 to 9999",
                f"{exists} AND left({text}, 4) <> '0000'",
            )
        axes = [f"({json} -> '{axis}')" for axis in "xy"]
        finite = [
            f"CASE WHEN jsonb_typeof({axis}) = 'number' THEN {axis}::numeric = 0"
            f" OR abs({axis}::numeric) BETWEEN 1e-300 AND 1e300 END"
            for axis in axes
        ]
        return "have finite coordinates", " AND ".join(f"({one})" for one in finite)

    @property
    def may_be_missing(self) -> str:
        """Return SQL that is true where there is no value to judge."""
        found = []
        if self.is_nullable:
            found.append(f"{self.text()} IS NULL")
        if self.type.base.may_be_unavailable:
            found.append(f"{self.text()} = '{UNAVAILABLE}'")
        return " OR ".join(found)


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
        low, high = 0, _INT8[1]
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
