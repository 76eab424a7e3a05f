"""Replay refused messages, once their cause is fixed.

Started manually, with a form: for which reasons, at which positions, from when to when,
how many. Accepted messages are loaded and counted like any other; the rest stays
refused. Dismissed messages are left out. `palate rejected list` shows what there is.

**When it fails:** nothing is lost. Once `replay` is green, the messages are queued, and
the next run of this DAG or of `orders_stream` finishes what this one did not; the log
of the failed task ends with what to do. A cleared run replays its own messages again.
"""

from airflow.sdk import dag, task

from palate_airflow import assets
from palate_airflow.dag_factory import marts_and_tags
from palate_airflow.forms.replay import replay as replay_as_asked
from palate_airflow.forms.replay import replay_form
from palate_airflow.tasks import DAG_DEFAULTS, run_stage


@dag(
    schedule=None,
    max_active_runs=1,
    params=replay_form(assets.TOPICS),
    doc_md=__doc__,
    tags=["orders", "maintenance"],
    **DAG_DEFAULTS,
)
def rejected_replay():
    @task
    def replay():
        """Queue the messages that the form selects."""
        return replay_as_asked()

    @task(outlets=[assets.VAULT])
    def vault():
        """Accept or refuse the queued messages again, and load the accepted ones."""
        return run_stage("vault.stage")

    counted, _ = marts_and_tags()
    replay() >> vault() >> counted


rejected_replay()
