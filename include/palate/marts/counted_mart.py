"""What the mart.yaml of a mart of contributions says (ADR 0005)."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from palate.marts.contributions import Change, Contributions
from palate.marts.models import Mart, Name
from palate.marts.totals import KeyColumns, Totals, problem

# What every mart of contributions counts.
COUNTERS = ("order_cnt", "pieces_cnt", "amount")


class Label(BaseModel):
    """Where a mart's rows get their readable name from, by their last key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: Name
    table: str
    key: Name


class Reference(BaseModel):
    """What a mart looks up beside the orders, kept as it was when it was counted.

    ``changes`` says what a change means: orders to count anew, or labels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: Name
    columns: dict[Name, str]
    key: tuple[Name, ...] = Field(min_length=1)
    changes: Change


class CountedMart(Mart):
    """A mart whose counters are sums of what each order adds (ADR 0005)."""

    kind: Literal["contributions"] = "contributions"
    contributions: Contributions = Field(exclude=True)
    copied_to: None = Field(default=None, exclude=True)
    label: Label | None = None
    reference: Reference | None = None
    order_columns: tuple[Name, ...] = ()
    fillfactor: int = Field(default=80, ge=50, le=100, exclude=True)
    # They follow from the mart: no part of what it means.
    totals: tuple[Totals, ...] = Field(default=(), exclude=True)
    tag_kind: Literal["product", "category"] | None = Field(default=None, exclude=True)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self._refuse_doubled_columns()
        known = self.contributions.further
        unknown = [name for name in self.order_columns if name not in known]
        if unknown:
            message = (
                f"order_columns names {', '.join(unknown)}, but the newest version of "
                f"an order has {', '.join(known)}"
            )
            raise ValueError(message)
        self._check_reference()
        self._check_totals()
        if self.tag_kind and not (self.label and len(self.keys) == 2 and self.guest):
            guest = self.contributions.guest.key
            message = f"tag_kind needs a label, and two keys, {guest} the first"
            raise ValueError(message)
        return self

    def _check_reference(self) -> None:
        found = self.reference
        if found is None:
            return
        needed = self.contributions.reference.columns.get(found.changes, ())
        for name in (*needed, *found.key):
            if name not in found.columns:
                message = (
                    f"reference: columns lacks {name}, which `changes: {found.changes}`"
                    " needs"
                )
                raise ValueError(message)

    def _check_totals(self) -> None:
        has_guest = self.guest is not None
        for one in self.totals:
            by = self.contributions.by
            if found := problem(one, self.things, by, has_guest=has_guest):
                message = f"totals: {found}"
                raise ValueError(message)
        for name in self.tables:
            if self.tables.count(name) > 1:
                message = f"totals: {name} is a table of the mart twice"
                raise ValueError(message)

    @property
    def things(self) -> list[str]:
        """Return the keys of what is counted: all but the guest."""
        return [key for key in self.keys if key != self.guest]

    def key_columns(self, totals: Totals) -> KeyColumns:
        """Return where the keys of totals come from."""
        by, things = self.contributions.by, self.things
        return KeyColumns(
            {key: by[key] for key in totals.keys if key not in things},
            [key for key in totals.keys if key in things],
        )

    @property
    def has_totals(self) -> bool:
        """Return whether sums of it are kept."""
        return bool(self.totals)

    @property
    def keeps_contributions(self) -> bool:
        """Return whether totals need what each order adds, order by order."""
        return any(one.of == "orders" for one in self.totals)

    @property
    def kept_columns(self) -> list[str]:
        """Return the further columns of an order that are kept: also for totals."""
        used = [
            key.column
            for one in self.totals
            for key in self.key_columns(one).order.values()
        ]
        further = self.contributions.further
        return list(
            dict.fromkeys(
                [*self.order_columns, *(name for name in used if name in further)]
            )
        )

    @property
    def guest(self) -> str | None:
        """Return the key of a row's guest; None if rows belong to no guest."""
        key = self.contributions.guest.key
        return key if key in self.keys else None

    @property
    def all_columns(self) -> list[str]:
        """Return the mart's columns, keys first."""
        return [*self.keys, *([self.label.column] if self.label else []), *COUNTERS]

    @property
    def counted(self) -> dict[str, str]:
        """Return the columns of what was counted of each order, with their types."""
        return self.contributions.counted(self.kept_columns)

    @property
    def nullable(self) -> set[str]:
        """Return those of what was counted that may be NULL."""
        return {*self.contributions.nullable, *self.kept_columns}

    @property
    def tables(self) -> tuple[str, ...]:
        """Return the mart's tables: rows, counted orders, reference, totals."""
        looked_up = (self.reference.table,) if self.reference else ()
        totals = (one.table for one in self.totals)
        return (self.name, f"{self.name}_counted", *looked_up, *totals)

    @property
    def is_label_looked_up(self) -> bool:
        """Return whether a row's name comes from the reference, and so may change."""
        return bool(
            self.label
            and self.reference
            and self.label.column in self.reference.columns
        )
