"""The form of a run of ``orders_stream``."""

from __future__ import annotations

from airflow.sdk import Param

from palate_airflow.forms.fields import optional


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
        "partitions": optional(
            "string",
            "Partitions",
            "Read only these partitions, such as 0, 2. Empty: all.",
            pattern=r"^\s*\d{1,6}(\s*,\s*\d{1,6})*\s*$",
        ),
        "messages": optional(
            "integer",
            "Most messages",
            "Stop after about as many. The next run takes the rest.",
            minimum=1,
            maximum=100_000_000,
        ),
        "minutes": optional(
            "number",
            "Longest time",
            "Stop reading after so many minutes. The next run goes on.",
            exclusiveMinimum=0,
            maximum=25,
        ),
    }
