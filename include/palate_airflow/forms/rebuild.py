"""The tasks of a rebuild: vault and marts anew from STG, beside the live ones."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param, get_current_context, task

from palate_airflow.forms.fields import filled_form
from palate_airflow.forms.reload import asked_history, patient_settings, show_report
from palate_airflow.tasks import caller, failing_with_a_sentence

if TYPE_CHECKING:
    from palate.engine import Batch, Caller
    from palate.settings import Settings

log = logging.getLogger(__name__)

# Hundreds of millions of orders take hours. Another attempt goes on where it was.
LONG = timedelta(hours=12)
PATIENT: dict[str, Any] = {"execution_timeout": LONG}
WEEK = timedelta(days=7)
_ANSWER = timedelta(days=3)
_REBUILD = "rebuild"


def rebuild_form() -> dict[str, Param]:
    """Return the part of the form that chooses between reload and rebuild."""
    return {
        "mode": Param(
            "look",
            type="string",
            enum=["look", _REBUILD],
            values_display={
                "look": "Reload a time span: compare and correct",
                _REBUILD: "Rebuild the vault and the marts beside the live ones",
            },
            title="What to do",
        ),
        "ask": Param(
            True,
            type="boolean",
            title="Ask before rows are replaced",
            description="For a rebuild that finds rows that differ: wait for a person.",
        ),
    }


def choose_mode() -> list[str]:
    """Choose reload or rebuild by the form, and check it."""
    from palate.requests import check_rebuild

    context = get_current_context()
    with failing_with_a_sentence():
        form = filled_form(context)
        if form["mode"] == _REBUILD:
            check_rebuild(form)
            return ["build"]
        asked_history(context)
    return ["messages"]


def steps() -> list[Any]:
    """Return the tasks of a rebuild except the approval, in their order."""
    # They follow a branch: what was not chosen before them doesn't matter.
    last = {"trigger_rule": "none_failed_min_one_success"} | PATIENT
    return [
        task(**PATIENT)(build)(),
        task.branch(**PATIENT)(compare)(),
        task(**last)(swap)(),
        task(**last)(drop_rejected)(),
    ]


def build() -> dict[str, Any]:
    """Fill new tables from STG, beside the live ones; live runs go on."""
    from palate.history import rebuild

    with _rebuilding() as (settings, me):
        outcome = rebuild.build(settings, replace(me, on_batch=_progress(settings)))
    found: dict[str, Any] = outcome.as_dict()
    return found


def compare() -> str:
    """Compare the new tables with the live ones; say whether a person is asked."""
    from palate.history import rebuild

    context = get_current_context()
    with _rebuilding() as (settings, me):
        found = rebuild.compare(settings, me)
        show_report(context, found.markdown())
        if found.differs and context["params"]["ask"]:
            return "approve"
        if found.differs:
            rebuild.approve(settings, me)
    return "swap"


def approval() -> ApprovalOperator:
    """Return the task that asks a person; no answer counts as Reject."""
    return ApprovalOperator(
        task_id="approve",
        subject="Replace the live vault and marts by the rebuilt ones?",
        body="{{ ti.xcom_pull(task_ids='compare', key='report') }}",
        defaults=ApprovalOperator.REJECT,
        response_timeout=_ANSWER,
        doc_md="Wait for a person to approve or reject what `compare` has found.",
    )


def swap() -> dict[str, Any]:
    """Replace the live tables by the new ones, in one transaction."""
    from palate.history import rebuild

    context = get_current_context()
    with _rebuilding() as (settings, me):
        # Reject skips this task; so an answer is an approval.
        answer = context["ti"].xcom_pull(task_ids="approve")
        found = rebuild.swap(settings, me, is_approved=bool(answer))
    show_report(context, found.markdown())
    outcome: dict[str, Any] = found.as_dict()
    return outcome


def drop_rejected() -> bool:
    """Drop the new tables if they were rejected; the live ones stay as they are."""
    from palate.history import rebuild

    with _rebuilding() as (settings, me):
        was_there: bool = rebuild.discard(settings, me)
    log.info("Dropped the new tables." if was_there else "They were swapped in.")
    return was_there


@contextmanager
def _rebuilding() -> Iterator[tuple[Settings, Caller]]:
    with failing_with_a_sentence():
        yield patient_settings(), caller(get_current_context())


def _progress(settings: Settings) -> Any:
    """Return a callback that logs the new vault's progress after each batch."""
    from palate.database import connect
    from palate.history import rebuild

    def on_batch(stage: str, _: Batch) -> None:
        with connect(settings) as conn:
            done, total = rebuild.progress(conn)
        log.info("%s: %s of %s positions are in the new vault", stage, done, total)

    return on_batch
