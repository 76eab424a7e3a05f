"""The form of a replay, and the request in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Param, get_current_context

from palate.sources import load_reasons
from palate_airflow.connections import task_settings
from palate_airflow.forms.fields import filled_form, optional, times
from palate_airflow.tasks import failing_with_a_sentence, run_as_task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from palate.landing import refusals
    from palate.settings import Settings

_MOST_NUMBER = 2**31 - 1


def replay_form(topics: list[str]) -> dict[str, Param]:
    """Return the form: which refused messages are replayed, by default any."""
    return {
        "reasons": Param(
            [],
            type="array",
            items={"type": "string"},
            examples=[str(reason) for reason in load_reasons()],
            title="Reasons",
            description="Only messages that were refused for these. Empty: any.",
        ),
        "topic": optional(
            "string",
            "Topic",
            "Only messages of this topic. Empty: any.",
            examples=topics,
        ),
        "epoch": optional(
            "integer",
            "Epoch",
            "Only this epoch of the topic, 0 unless it was made anew.",
            minimum=0,
            maximum=_MOST_NUMBER,
        ),
        "partition": optional(
            "integer",
            "Partition",
            "Only messages of this partition.",
            minimum=0,
            maximum=_MOST_NUMBER,
        ),
        "offset": optional(
            ["string", "integer"],
            "Offsets",
            "Only these, such as 160 or 160, 170..180.",
        ),
        "positions": optional(
            "string",
            "Positions",
            "Only these: topic/epoch/partition and its offsets, such as"
            " orders/0/2: 160, 170..180; orders/0/3: 7.",
        ),
        **times(
            "Only messages that the broker got then or later.",
            "Only messages that the broker got before then.",
        ),
        "limit": Param(
            10_000,
            type="integer",
            minimum=1,
            maximum=1_000_000,
            title="At most",
            description="So many messages, the first positions first.",
        ),
    }


def replay() -> dict[str, Any]:
    """Queue the messages that the form of the current run selects."""
    with failing_with_a_sentence():
        form = filled_form(get_current_context())
        asked = selected(form, task_settings())

    from palate.landing import replays

    return run_as_task(lambda settings, caller: replays.run(settings, caller, asked))


def selected(form: Mapping[str, Any], settings: Settings) -> refusals.Selection:
    """Return the selection of a filled form.

    :raises RequestError: if it makes no sense
    """
    from palate.requests import selection

    return selection(
        settings,
        reasons=form["reasons"],
        topic=form["topic"],
        epoch=form["epoch"],
        partition=form["partition"],
        offset=form["offset"],
        positions=form["positions"],
        start=form["from"],
        end=form["to"],
        limit=form["limit"],
    )
