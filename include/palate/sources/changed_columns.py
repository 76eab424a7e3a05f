"""A column of a changed table: its value, what it must be, how it is compared (SQL)."""

from dataclasses import dataclass

from palate.sources.tables_file import Base, ColumnType

# Stands for a value that is large and unchanged; the older version has it.
UNAVAILABLE = "__debezium_unavailable_value"

_INT4 = (-(2**31), 2**31 - 1)
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
