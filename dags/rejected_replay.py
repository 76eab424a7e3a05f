"""Replay refused messages, once their cause is fixed.

Started manually, with a form: for which reasons, at which positions, from when to when,
how many. Accepted messages are loaded and counted like any other; the rest stays
refused. Dismissed messages are left out. `palate rejected list` shows what there is.

**When it fails:** nothing is lost. Once `replay` is green, the messages are queued, and
the next run of this DAG or of `orders_stream` finishes what this one did not; the log
of the failed task ends with what to do. A cleared run replays its own messages again.
"""

from contextlib import nullcontext

from airflow.sdk import TaskGroup, dag, task

from palate_airflow import assets
from palate_airflow.dag_factory import after_vault
from palate_airflow.forms.replay import replay as replay_as_asked
from palate_airflow.forms.replay import replay_form
from palate_airflow.tasks import DAG_DEFAULTS, run_stage


@dag(
    schedule=None,
    max_active_runs=1,
    params=replay_form(assets.all_topics()),
    doc_md=__doc__,
    tags=["orders", "maintenance"],
    **DAG_DEFAULTS,
)
def rejected_replay():
    @task
    def replay():
        """Queue the messages that the form selects."""
        return replay_as_asked()

    @task
    def vault(stage: str):
        """Accept or refuse the queued messages again, and load the accepted ones."""
        return run_stage(stage)

    queued = replay()
    for area in assets.areas().values():
        # The tasks of the first area have bare names; they are older than areas.
        group = TaskGroup(area.name) if area.prefix else nullcontext()
        with group:
            outlets = [assets.vault(area)]
            loaded = vault.override(task_id="vault", outlets=outlets)(area.vault)
            counted, _ = after_vault(area)
            queued >> loaded >> counted


rejected_replay()
