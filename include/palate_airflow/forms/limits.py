"""The form of a run of ``orders_stream``, and how any form is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Param

if TYPE_CHECKING:
    from airflow.sdk import Context


def limits_form(topics: list[str]) -> dict[str, Param]:
    """Return the form of a manual run's limits."""
    return {
        "topics": Param(
            topics,
            type="array",
            items={"type": "string", "enum": topics},
            examples=topics,
            minItems=1,
            title="Topics",
            description="Read only these topics.",
        ),
        "partitions": Param(
            None,
            type=["null", "string"],
            pattern=r"^\s*\d{1,6}(\s*,\s*\d{1,6})*\s*$",
            title="Partitions",
            description="Read only these partitions, such as 0, 2. Empty: all.",
        ),
        "messages": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=100_000_000,
            title="Most messages",
            description="Stop after about as many. The next run takes the rest.",
        ),
        "minutes": Param(
            None,
            type=["null", "number"],
            exclusiveMinimum=0,
            maximum=25,
            title="Longest time",
            description="Stop reading after so many minutes. The next run goes on.",
        ),
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
