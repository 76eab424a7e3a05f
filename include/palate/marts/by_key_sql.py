"""The SQL of a mart by key for one table set: its own files, and the shared ones."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from palate.marts.definitions import find_mart
from palate.marts.files import declared, query
from palate.marts.models import ByKeyMart
from palate.sql import Step, render, step
from palate.table_set import TableSet

# What is wrong with a row: it is missing, not to be there, or has other values.
MISSING, EXTRA, OTHER = "missing", "extra", "other values"

# The statement that only a live mart's refresh runs: a rebuild's has no copy.
LOGGED = "logged"

# How a comparison marks a key that ``rows.sql`` gives more than one row for.
DOUBLED = "given more than once"


@dataclass(frozen=True)
class ByKeySql:
    """The statements of a mart, for the tables of one set."""

    mart: ByKeyMart
    tables: TableSet = TableSet.LIVE

    def touched(self) -> str:
        """Return the query for the keys that a batch touches."""
        return self._own("touched")

    def rows(self, keys: str | None) -> str:
        """Return the query for the rows of some keys, or of all.

        :param keys: the relation of the keys; None for the whole mart
        """
        return self._own("rows", keys=keys)

    def recomputed(self) -> str:
        """Return the query for the whole mart, with the types that it declares."""
        return self.shared("recomputed", rows=self.rows(None))

    def find_keys(self) -> list[Step]:
        """Return the statements that find the keys of ``batch_ranges``."""
        return [
            self.step("make_touched_keys", "touched_keys_made"),
            self.step("touched_keys", "touched_keys", touched=self.touched()),
        ]

    def of_keys(self) -> list[Step]:
        """Return the statements that set right the rows of ``touched_keys``."""
        return [
            *self._compute("touched_keys"),
            self.step("differing"),
            self.step("apply", "applied"),
            *self._logged(),
        ]

    def of_all(self) -> list[Step]:
        """Return the statements that make the whole mart anew."""
        return [
            *self._compute(None),
            Step("emptied", f"TRUNCATE {self.tables.cdm}.{self.mart.name}"),
            self.step("all_rows", "rows"),
        ]

    def shared(self, file: str, **values: Any) -> str:
        """Return a query that all marts by key share, for this one."""
        return render(_template(file), self.tables, **self._names(), **values)

    def step(self, file: str, name: str | None = None, **values: Any) -> Step:
        """Return a statement that all marts by key share, for this one.

        :param name: the name that its rows are counted by; default: the table it makes
        """
        return step(_template(file), name, self.tables, **self._names(), **values)

    def _own(self, file: str, **values: Any) -> str:
        return query(f"{self.mart.folder}/{file}.sql", self.tables, **values)

    def _compute(self, keys: str | None) -> list[Step]:
        return [
            self.step("make_computed", "computed_made"),
            self.step("computed", "computed", rows=self.rows(keys), is_whole=not keys),
        ]

    def _logged(self) -> list[Step]:
        """Return the statement that logs changed keys for a copy of the mart."""
        return [self.step("log_changes", LOGGED)] if self.mart.copied_to else []

    def _names(self) -> dict[str, Any]:
        mart = self.mart
        types = mart.key_types | mart.columns
        return {
            "mart": mart.name,
            "keys": list(mart.keys),
            "key_types": {
                name: declared(type) for name, type in mart.key_types.items()
            },
            "columns": mart.all_columns,
            "further": list(mart.columns),
            "changed_at": mart.changed_at,
            "types": {name: declared(type) for name, type in types.items()},
            "missing": MISSING,
            "extra": EXTRA,
            "other": OTHER,
            "doubled": DOUBLED,
        }


@lru_cache(maxsize=64)
def refresh_statements(name: str, tables: TableSet = TableSet.LIVE) -> tuple[Step, ...]:
    """Return the statements of a refresh, in order."""
    mart = find_mart(name)
    if not isinstance(mart, ByKeyMart):
        raise TypeError(name)
    sql = ByKeySql(mart, tables)
    return (*sql.find_keys(), *sql.of_keys())


def _template(file: str) -> str:
    return f"engine/by_key/{file}.sql"
