"""The form of a replay, and what it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param, get_current_context

if TYPE_CHECKING:
    from palate.rejected import Selection

_REASONS = [
    "not_json",
    "not_an_order",
    "wrong_shape",
    "value_out_of_range",
    "version_in_future",
    "own_message",
]


def replay_form(topics: list[str]) -> dict[str, Param]:
    """Return the form: which refused messages are judged again, by default any."""
    return {
        "reasons": Param(
            [],
            type="array",
            items={"type": "string"},
            examples=_REASONS,
            title="Reasons",
            description="Only messages that were refused for these. Empty: any.",
        ),
        "topic": Param(
            None,
            type=["null", "string"],
            enum=[None, *topics],
            title="Topic",
            description="Only messages of this topic. Empty: any.",
        ),
        "start": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="From",
            description="Only messages that the broker got then or later.",
        ),
        "end": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="To",
            description="Only messages that the broker got before then.",
        ),
        "most": Param(
            10_000,
            type="integer",
            minimum=1,
            maximum=1_000_000,
            title="At most",
            description="So many messages, the first positions first.",
        ),
    }


def selection() -> Selection:
    """Return what the form of the current run asks for."""
    return selected(get_current_context()["params"])


def selected(params: Mapping[str, Any]) -> Selection:
    """Return what a filled form asks for; a time without a zone is in UTC."""
    from palate.rejected import Selection

    return Selection(
        reasons=tuple(params["reasons"]),
        topic=params["topic"] or None,
        start=_moment(params["start"]),
        end=_moment(params["end"]),
        limit=params["most"],
    )


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
