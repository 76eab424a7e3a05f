"""The SQL of a mart of contributions: its own files, and those that all share."""

from dataclasses import dataclass
from textwrap import indent
from typing import Any

from palate.marts.definitions import CountedMart
from palate.marts.files import query, template
from palate.sql import Step, render, step
from palate.table_set import TableSet


@dataclass(frozen=True)
class MartSql:
    """The queries and statements of a mart, for the tables of one set."""

    mart: CountedMart
    tables: TableSet = TableSet.LIVE

    def query(self, file: str, **values: Any) -> str:
        """Return a query of the mart's own folder.

        :raises DefinitionError: if the file is missing, or is no template
        """
        return query(f"{self.mart.folder}/{file}.sql", self.tables, **values)

    def shared(self, file: str, **values: Any) -> str:
        """Return a query that all marts share, for this one."""
        return render(self._template(file), self.tables, **self._names(), **values)

    def step(self, file: str, name: str | None = None, **values: Any) -> Step:
        """Return a statement that all marts share, for this one.

        :param name: the name that its rows are counted by; default: the table it makes
        """
        return step(self._template(file), name, self.tables, **self._names(), **values)

    def contributions(self, orders: str, reference: str | None) -> str:
        """Return what orders add to each key, and from how many rows: it must be one.

        :param orders: the relation of the orders
        :param reference: the relation of what the mart looks up
        """
        return self.shared("per_order", contributions=self._adds(orders, reference))

    def recomputed(self) -> str:
        """Return the query for the whole mart as it follows from the vault."""
        contributions = self.contributions(*self._whole())
        return self._recomputed(contributions, finds_doubled=True)

    def meaning(self) -> str:
        """Return the same query as the definition has it: its hash is kept."""
        return self._recomputed(self._adds(*self._whole()), finds_doubled=False)

    def recomputed_of(self, orders: str, reference: str | None) -> str:
        """Return the query for what some orders add, with names as they are kept."""
        return self.shared(
            "recomputed",
            all_contributions=self.contributions(orders, reference),
            label_query=self._kept_labels(),
            finds_doubled=True,
        )

    @property
    def kept_reference(self) -> str | None:
        """Return the table of the mart's reference."""
        reference = self.mart.reference
        return f"{self.tables.cdm}.{reference.table}" if reference else None

    @property
    def label_table(self) -> str | None:
        """Return the table with the names of what is counted."""
        label = self.mart.label
        return self.tables.table(label.table) if label else None

    def _adds(self, orders: str, reference: str | None) -> str:
        further = {"reference": reference} if reference else {}
        return self.query("contributions", orders=orders, **further)

    def _whole(self) -> tuple[str, str | None]:
        """Return the relations of all orders that count, and of all lookups."""
        reference = None
        if self.mart.reference:
            reference = _subquery(self.query("reference", products=None))
        return _subquery(self.shared("all_orders")), reference

    def _recomputed(self, contributions: str, *, finds_doubled: bool) -> str:
        label_query = self._kept_labels()
        if self.label_table and self.label_table == self.kept_reference:
            label_query = self.query("reference", products=None)
        return self.shared(
            "recomputed",
            all_contributions=contributions,
            label_query=label_query,
            finds_doubled=finds_doubled,
        )

    def _kept_labels(self) -> str:
        label = self.mart.label
        if label is None:
            return ""
        return f"SELECT\n    {label.key},\n    {label.column}\nFROM {self.label_table}"

    def _template(self, file: str) -> str:
        return template(self.mart.area, file)

    def _names(self) -> dict[str, Any]:
        mart = self.mart
        reference = mart.reference
        names = mart.contributions
        return {
            "mart": mart.name,
            "keys": list(mart.keys),
            "guest": mart.guest,
            "guest_column": names.guest.column,
            "label": mart.label,
            "is_label_looked_up": mart.is_label_looked_up,
            "label_table": self.label_table,
            "order_columns": list(mart.order_columns),
            "counted": list(mart.counted),
            "nullable": mart.nullable,
            "tag_kind": mart.tag_kind,
            "changes": reference and reference.changes,
            "looked_up": names.reference,
            "reference_table": reference and reference.table,
            "reference_columns": list(reference.columns) if reference else [],
            "reference_key": list(reference.key) if reference else [],
        }


def _subquery(query: str) -> str:
    return f"(\n{indent(query, '    ')}\n)"
