"""Fields that forms share, and how any form is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Param

if TYPE_CHECKING:
    from airflow.sdk import Context


def optional(
    kind: str | list[str], title: str, description: str, **schema: Any
) -> Param:
    """Return a field that may stay empty, and is so by default."""
    kinds = [kind] if isinstance(kind, str) else kind
    return Param(
        None, type=["null", *kinds], title=title, description=description, **schema
    )


def times(start: str, end: str) -> dict[str, Param]:
    """Return the fields of a time span, given what each of its ends selects."""
    return {
        "from": optional("string", "From", start, format="date-time"),
        "to": optional("string", "To", end, format="date-time"),
    }


def filled_form(context: Context) -> dict[str, Any]:
    """Return the form of the current run, an empty field as None.

    :raises RequestError: if the run has a field that the form doesn't have
    """
    from palate.decisions import check_fields

    known = context["dag"].params
    check_fields(context["dag_run"].conf or {}, known)
    params = context["params"]
    return {name: None if params[name] == "" else params[name] for name in known}
