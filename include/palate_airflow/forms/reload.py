"""The form of a history reload, and its tasks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param, get_current_context

from palate_airflow import metrics
from palate_airflow.connections import task_settings
from palate_airflow.forms.fields import filled_form, times
from palate_airflow.tasks import caller, failing_with_a_sentence

if TYPE_CHECKING:
    from airflow.sdk import Context

    from palate.engine import Batch, Caller, plans
    from palate.settings import Settings

log = logging.getLogger(__name__)

# Seconds that a task waits for a live run, or another of its kind, to release a stage.
_PATIENCE = 1_200


def reload_form() -> dict[str, Param]:
    """Return the form: which broker times, and where messages are read again from."""
    return {
        **times(
            "Broker time. Empty: a week before 'To'.",
            "Up to, and not including. Empty: the end of the run's week, or its start"
            " if it has none.",
        ),
        "source": Param(
            "auto",
            type="string",
            enum=["auto", "kafka", "stg"],
            values_display={
                "auto": "Kafka where it still has them, else STG",
                "kafka": "Kafka; every topic must be there",
                "stg": "STG alone, without asking Kafka",
            },
            title="Messages from",
        ),
    }


def asked_history(context: Context) -> plans.Request:
    """Return the broker times of the current run: the form's, or its own.

    :raises RequestError: if the form makes no sense
    """
    from palate.requests import history

    run, form = context["dag_run"], filled_form(context)
    start = form["from"] or (None if form["to"] else run.data_interval_start)
    end = form["to"] or run.data_interval_end or run.run_after
    return history(start, end, form["source"])


def reload_layer(area: str, layer: str) -> dict[str, Any]:
    """Reload one layer of an area for the current run; return what was found."""
    from palate.history import reload
    from palate.sources import catalog

    context = get_current_context()
    settings = patient_settings()
    logging.getLogger("kafka").setLevel(logging.WARNING)
    me = caller(context)
    me = replace(me, on_batch=_progress(settings, me))
    with metrics.timed(context["ti"]) as found, failing_with_a_sentence():
        one = catalog.find_area(settings, area)
        asked = asked_history(context)
        found |= reload.run(settings, one, me, layer, asked).as_dict()
    for asset in context["task"].outlets:
        context["outlet_events"][asset].extra = found
    return found


def patient_settings() -> Settings:
    """Return the settings of a task that waits long for its stage."""
    return task_settings().model_copy(update={"palate_lock_wait": _PATIENCE})


def write_report(area: str) -> dict[str, Any]:
    """Write the current run's report to the log and to XCom; fail if rows differ."""
    from palate.history import reload
    from palate.sources import catalog

    context = get_current_context()
    with failing_with_a_sentence():
        settings = task_settings()
        one = catalog.find_area(settings, area)
        found = reload.report(settings, one, caller(context))
        show_report(context, found.markdown())
        found.check()
    return found.as_dict()


def show_report(context: Context, markdown: str) -> None:
    """Write a report to the task's log, and to XCom for whoever has to decide."""
    log.info("%s", markdown)
    context["ti"].xcom_push(key="report", value=markdown)


def _progress(settings: Settings, me: Caller) -> Callable[[str, Batch], None]:
    """Return a callback that logs a layer's progress after each batch."""
    from palate.history import reload_share

    watch = reload_share.ReloadProgress(settings, me)

    def on_batch(stage: str, batch: Batch) -> None:
        if me.on_batch:
            me.on_batch(stage, batch)
        if batch.is_repeat:
            log.info("%s: %s", me.task_id, watch.after(stage, batch))

    return on_batch
