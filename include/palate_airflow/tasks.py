"""How a task runs a stage: its caller, its report, its failure.

A task's body is one call: ``run_stage("vault")``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from airflow.sdk import (
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
    get_current_context,
)

from palate_airflow import metrics
from palate_airflow.connections import task_settings
from palate_airflow.forms.fields import filled_form

if TYPE_CHECKING:
    from airflow.sdk import Context

    from palate.engine import Caller, Outcome
    from palate.errors import PalateError
    from palate.settings import Settings

log = logging.getLogger(__name__)


class Report(Protocol):
    """What some work did."""

    def as_dict(self) -> dict[str, Any]:
        """Return it for XCom."""


class StageFailedError(SystemExit):
    """Raised when a stage can't go on: the task's log ends with the sentence.

    Airflow writes a traceback for any other exception; it would not help here. The exit
    code is that of the command ``palate``.
    """

    def __init__(self, error: PalateError) -> None:
        """Keep the exit code and the sentence."""
        super().__init__(error.exit_code)
        self.sentence = str(error)

    def __str__(self) -> str:
        """Return the sentence, for notifications of the failure."""
        return self.sentence


class StageStuckError(StageFailedError):
    """Raised when a person must fix something first: no later attempt can succeed."""


# Common to all DAGs. The pauses between attempts are 5, 10 and 20 s.
DAG_DEFAULTS: dict[str, Any] = {
    "catchup": False,
    "dagrun_timeout": timedelta(hours=2),
    "default_args": {
        "owner": "palate",
        "retries": 3,
        "retry_delay": timedelta(seconds=5),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=1),
        "retry_policy": ExceptionRetryPolicy(
            rules=[
                RetryRule(
                    exception=StageStuckError,
                    action=RetryAction.FAIL,
                    reason="Somebody has to mend it first; the error above says what.",
                )
            ]
        ),
        "execution_timeout": timedelta(minutes=30),
        "show_return_value_in_logs": False,  # the stage has logged it as a sentence
    },
}


@contextmanager
def failing_with_a_sentence() -> Iterator[None]:
    """End the task with the error's sentence, and no traceback.

    :raises StageFailedError: in place of any other error of Palate
    """
    from palate.errors import PalateError
    from palate.text import escape_controls

    try:
        yield
    except PalateError as error:
        log.error("%s", escape_controls(str(error)))
        raise as_failure(error) from None


def run_drain(area: str) -> dict[str, Any]:
    """Run an area's drain for the current task, by the form of its run."""
    with failing_with_a_sentence():
        from palate.landing import drain
        from palate.requests import limits
        from palate.sources import catalog

        settings = task_settings()
        found = catalog.find_area(settings, area)
        asked = limits(filled_form(get_current_context()), settings, found)
    return run_as_task(
        lambda settings, caller: drain.run(settings, found, caller, asked)
    )


def run_stage(name: str) -> dict[str, Any]:
    """Run a stage for the current task; return what it did, for XCom.

    :param name: its name in the ledger, such as ``vault`` or ``reviews/vault``
    :raises StageFailedError: if it can't go on
    """

    def run(settings: Settings, caller: Caller) -> Outcome:
        from palate import pipelines

        return pipelines.find_stage(settings, name).run(settings, caller)

    return run_as_task(run)


def run_as_task(run: Callable[[Settings, Caller], Report]) -> dict[str, Any]:
    """Run work of the library for the current task; return what it did, for XCom.

    The event of the task's asset has the same. Another run that holds the stage is no
    error: it takes what is waiting, and this task says so. A backfill's task is retried
    instead, as no other run does its work.

    :raises StageFailedError: if it can't go on
    """
    from palate.errors import StageBusyError

    context = get_current_context()
    me = caller(context)
    with failing_with_a_sentence():
        filled_form(context)
    logging.getLogger("kafka").setLevel(logging.WARNING)
    with metrics.timed(context["ti"]) as outcome, failing_with_a_sentence():
        try:
            outcome |= run(task_settings(), me).as_dict()
        except StageBusyError as error:
            if me.interval:
                log.error("%s What this backfill is to heal waits for it.", error)
                raise as_failure(error) from None
            log.warning("%s", error)
            outcome |= {"outcome": "busy", "note": str(error)}
    for asset in context["task"].outlets:
        context["outlet_events"][asset].extra = outcome
    _show_positions(context["task"], outcome)
    return outcome


def _show_positions(task: Any, outcome: dict[str, Any]) -> None:
    """Let the task's *Rendered Templates* show what it took.

    Airflow writes them again after it has reported the task's end: nobody waits. The
    DAG as it is stored stays the same, since only this attempt has the field.
    """
    task.positions = "\n".join(outcome.get("ranges", ())) or "none"
    task.template_fields = (*task.template_fields, "positions")
    task.overwrite_rtif_after_execution = True


def caller(context: Context) -> Caller:
    """Return the current task as the ledger's caller.

    Only a backfill has an interval to cover; any other run takes what is waiting.
    """
    from palate.engine import Caller

    task, run = context["ti"], context["dag_run"]
    start, end = run.data_interval_start, run.data_interval_end
    return Caller(
        dag_id=task.dag_id,
        run_id=task.run_id,
        task_id=task.task_id,
        map_index=-1 if task.map_index is None else task.map_index,
        try_number=task.try_number,
        interval=(start, end) if run.run_type == "backfill" and start and end else None,
        on_batch=lambda _, batch: metrics.send_batch(task, batch),
    )


def as_failure(error: PalateError) -> StageFailedError:
    """Return the exception that ends a task with a sentence, and may be retried."""
    return (StageFailedError if error.is_worth_retrying else StageStuckError)(error)
