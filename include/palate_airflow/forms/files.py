"""The form of a replay of files, and the request in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Param, get_current_context

from palate_airflow.forms.fields import filled_form, optional
from palate_airflow.tasks import failing_with_a_sentence, run_as_task

if TYPE_CHECKING:
    from palate.engine import Caller, Outcome
    from palate.settings import Settings


def files_form() -> dict[str, Param]:
    """Return the form: which refused files are judged again, by default all."""
    return {
        "imports": Param(
            [],
            type="array",
            items={"type": "string", "format": "uuid"},
            title="Imports",
            description="Only these, by their ids. Empty: any that is not dismissed.",
        ),
        "dataset": optional("string", "Dataset", "Only files of this one. Empty: any."),
        "state": optional(
            "string",
            "State",
            "Only files of this state. Empty: any that was refused.",
            enum=[None, "invalid", "unreadable", "partly_loaded"],
        ),
        "reason": optional(
            "string",
            "Reason",
            "Only files with a record that breaks this keyword of the schema, such as "
            "maximum. Empty: any.",
        ),
        "limit": Param(
            1_000,
            type="integer",
            minimum=1,
            maximum=100_000,
            title="At most",
            description="So many files of each state, the first received first.",
        ),
    }


def replay(area: str) -> dict[str, Any]:
    """Judge again the files that the form of the current run selects."""
    with failing_with_a_sentence():
        from palate.files import replay as replays

        asked = replays.selection(**filled_form(get_current_context()))

    def run(settings: Settings, caller: Caller) -> Outcome:
        from palate.files import replay as replays
        from palate.sources import catalog

        found = catalog.find_area(settings, area)
        whole, records = replays.run(settings, found, caller, asked)
        whole.include(records)
        return whole

    return run_as_task(run)


def retain(area: str) -> dict[str, Any]:
    """Remove files that are old enough from the store."""

    def run(settings: Settings, caller: Caller) -> Any:
        from palate.intake import retention
        from palate.sources import catalog

        return retention.retain(settings, catalog.find_area(settings, area), caller)

    return run_as_task(run)
