"""Totals of a mart: sums that move with it, in the same transaction (ADR 0034)."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from palate.names import Identifier

Name = Annotated[str, Identifier]

Of = Literal["rows", "orders", "guests"]

# What a table of totals has beside its keys, by what it sums up. A row whose first of
# them is 0 is deleted.
COLUMNS: dict[Of, dict[str, str]] = {
    "rows": {
        "guest_cnt": "bigint",
        "order_cnt": "bigint",
        "pieces_cnt": "bigint",
        "amount": "numeric",
    },
    "orders": {"order_cnt": "bigint", "pieces_cnt": "bigint", "amount": "numeric"},
    "guests": {"guest_cnt": "bigint", "new_guest_cnt": "bigint"},
}


class OrderKey(BaseModel):
    """What totals may be kept by, of an order: a column, cast to a type."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: Name
    type: str

    def of(self, alias: str = "") -> str:
        """Return the SQL for its value in an order."""
        column = f"{alias}.{self.column}" if alias else self.column
        return f"{column}::{self.type}"


class Totals(BaseModel):
    """One table of totals.

    ``of`` rows: of all of the mart's rows with these keys, a row per guest. ``of``
    orders: of what the counted orders add. ``of`` guests: how many guests had such
    orders, and for how many no earlier key has one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Short enough for PostgreSQL to keep the name of its index whole.
    table: Name = Field(max_length=50)
    description: str = Field(min_length=10)
    of: Of
    keys: tuple[Name, ...] = Field(min_length=1)

    @property
    def columns(self) -> dict[str, str]:
        """Return the columns beside the keys, with their types."""
        return COLUMNS[self.of]


@dataclass(frozen=True)
class KeyColumns:
    """The keys of totals, by where they come from: the order, or what is counted."""

    order: dict[str, OrderKey]
    things: list[str]


def problem(
    totals: Totals, things: list[str], by: dict[str, OrderKey], *, has_guest: bool
) -> str | None:
    """Return what is wrong with totals of a mart, or None.

    :param things: the mart's keys but the guest
    :param by: what an order has
    :param has_guest: whether the mart's rows belong to guests
    """
    keys, own = list(totals.keys), [key for key in totals.keys if key in things]
    if unknown := [key for key in keys if key not in things and key not in by]:
        known = ", ".join([*things, *by])
        return f"{totals.table} names {', '.join(unknown)}, but there are {known}"
    if totals.of == "rows" and not (has_guest and keys == things):
        wanted = ", ".join(things)
        return f"{totals.table} is of rows: then its keys are {wanted}, without a guest"
    if totals.of == "orders" and (own == keys or own not in ([], things)):
        # An order has several things: sums over some of their keys count it twice.
        return (
            f"{totals.table} is of orders: then its keys are some of {', '.join(by)}, "
            f"and all or none of {', '.join(things)}"
        )
    if totals.of == "guests" and (len(keys) != 1 or own):
        return f"{totals.table} is of guests: then it has one key of {', '.join(by)}"
    return None
