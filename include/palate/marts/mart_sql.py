"""The SQL of a mart of contributions: its own files, and those that all share."""

from dataclasses import dataclass, replace
from textwrap import indent
from typing import Any

from palate.marts.counted_mart import CountedMart
from palate.marts.files import query, template
from palate.marts.totals import OrderKey, Totals
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
        """Return the same query as the definition has it: its hash is kept.

        What is kept for totals is no part of it.
        """
        sql = replace(self, mart=self.mart.model_copy(update={"totals": ()}))
        return sql._recomputed(sql._adds(*sql._whole()), finds_doubled=False)

    def recomputed_of(self, orders: str, reference: str | None) -> str:
        """Return the query for what some orders add, with names as they are kept."""
        return self.shared(
            "recomputed",
            all_contributions=self.contributions(orders, reference),
            label_query=self._kept_labels(),
            finds_doubled=True,
        )

    def deltas(self) -> list[Step]:
        """Return the statements that find by how much each counter moves."""
        new = self.contributions("new_orders", self.kept_reference)
        if not self.mart.keeps_contributions:
            return [
                self.step("deltas", new_contributions=f"{_subquery(new)} AS counted")
            ]
        return [
            self.step("new_contributions", new_contributions=new),
            self.step("deltas", new_contributions="new_contributions"),
        ]

    def moved_totals(self) -> list[Step]:
        """Return the statements that move the totals, before the mart itself moves."""
        steps = []
        if self.mart.keeps_contributions:
            steps.append(self.step("moved_sums", order_keys=self._order_keys()))
        orders = [("old_orders", -1), ("new_orders", 1)]
        for one in self.mart.totals:
            if one.of == "orders":
                moves = self._of_orders(one, "moved_sums", orders)
            else:
                moves = self.shared(f"moves_of_{one.of}", **self._keys(one))
            steps.append(self.step("move_totals", one.table, totals=one, moves=moves))
        return steps

    def counted_sums(self) -> str:
        """Return the query for what all counted orders add, by the keys of totals."""
        counted = self.contributions(self._counted, self.kept_reference)
        return self.shared(
            "counted_sums",
            order_keys=self._order_keys(),
            counted_contributions=counted,
        )

    def totals_now(self, totals: Totals) -> str:
        """Return the query for totals as they follow from the mart.

        Those of orders expect the relation ``counted_sums``.
        """
        if totals.of == "orders":
            return self._of_orders(totals, "counted_sums", [(self._counted, 1)])
        return self.shared(f"totals_of_{totals.of}", **self._keys(totals))

    def _of_orders(
        self, totals: Totals, sums: str, orders: list[tuple[str, int]]
    ) -> str:
        """Return the query for totals of orders.

        :param sums: the relation of what they add
        :param orders: the relations of the orders, and whether they come or go
        """
        keys = self._keys(totals)
        return self.shared("totals_of_orders", sums=sums, orders=orders, **keys)

    def _order_keys(self) -> dict[str, OrderKey]:
        """Return the keys of all totals of orders that are an order's."""
        return {
            name: key
            for one in self.mart.totals
            if one.of == "orders"
            for name, key in self.mart.key_columns(one).order.items()
        }

    @property
    def _counted(self) -> str:
        """Return the table of the orders that the mart has counted."""
        return f"{self.tables.cdm}.{self.mart.name}_counted"

    def _keys(self, totals: Totals) -> dict[str, Any]:
        keys = self.mart.key_columns(totals)
        return {"order_keys": keys.order, "thing_keys": keys.things}

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
            "things": mart.things,
            "guest": mart.guest,
            "guest_column": names.guest.column,
            "label": mart.label,
            "is_label_looked_up": mart.is_label_looked_up,
            "label_table": self.label_table,
            "order_columns": mart.kept_columns,
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
