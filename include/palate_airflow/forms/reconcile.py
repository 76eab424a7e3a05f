"""The form of a comparison with a source's standby, and the work that it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Param, get_current_context
from airflow.sdk.exceptions import AirflowSkipException

from palate_airflow.connections import task_settings
from palate_airflow.forms.fields import filled_form
from palate_airflow.tasks import failing_with_a_sentence, run_as_task

if TYPE_CHECKING:
    from palate.engine import Caller, Outcome
    from palate.settings import Settings


def reconcile_form() -> dict[str, Param]:
    """Return the form: whether differences are healed, by default after a snapshot."""
    return {
        "heal": Param(
            False,
            type="boolean",
            title="Heal",
            description="Heal differences also without a new snapshot.",
        ),
        "confirm": Param(
            False,
            type="boolean",
            title="End many rows",
            description="Also end rows of which more than 100, and more than 10 % of a "
            "table, are gone at once.",
        ),
    }


def reconcile(area: str) -> dict[str, Any]:
    """Compare an area with its source, by the form of the current run."""
    with failing_with_a_sentence():
        form = filled_form(get_current_context())
    is_by_snapshot = get_current_context()["dag_run"].run_type == "asset_triggered"

    def run(settings: Settings, caller: Caller) -> Outcome:
        from palate.engine import Outcome
        from palate.reconcile import stage
        from palate.sources import catalog

        found = catalog.find_area(settings, area)
        if is_by_snapshot and not stage.is_due(settings, found):
            return Outcome(found.vault, note="A run has compared the snapshot already.")
        return stage.run(
            settings,
            found,
            caller,
            must_heal=form["heal"] or form["confirm"],
            may_end_many=form["confirm"],
        )

    return run_as_task(run)


def skip_without_snapshot(area: str) -> None:
    """Skip the task unless a snapshot has come that was not compared.

    :raises AirflowSkipException: if there is none
    """
    with failing_with_a_sentence():
        from palate.reconcile import stage
        from palate.sources import catalog

        settings = task_settings()
        if not stage.is_due(settings, catalog.find_area(settings, area)):
            raise AirflowSkipException
