"""Read every known dictionary entry from Redis again, and load what changed.

Runs hourly, and manually when a change should count at once. A dish that was moved or
renamed corrects the counters of the orders that have it, also of years ago. Unchanged
entries are read, nothing else.

**When it fails:** nothing is lost; what was read is staged, and the next run reads
everything again. `dictionaries` red: Redis does not answer, its log says why. An id
without a usable entry is a warning in that log; `palate dictionaries show <id>` says
what is wrong with it.
"""

from airflow.sdk import CronTriggerTimetable, dag, task

from palate_airflow import assets
from palate_airflow.dag_factory import after_vault
from palate_airflow.tasks import DAG_DEFAULTS, run_as_task


@dag(
    # Off the full hour, when many other jobs start.
    schedule=CronTriggerTimetable("7 * * * *", timezone="UTC"),
    max_active_runs=1,
    doc_md=__doc__,
    tags=["dictionaries"],
    **DAG_DEFAULTS,
)
def dictionaries_sync():
    @task(inlets=[assets.DICTIONARIES], outlets=[assets.DICTIONARY_ENTRIES])
    def dictionaries():
        """Ask Redis for every guest and restaurant; stage and load what changed."""
        from palate import pipelines

        return run_as_task(pipelines.look_up_all)

    counted, _ = after_vault(assets.areas()["food"])
    dictionaries() >> counted


if assets.area("food"):
    dictionaries_sync()
