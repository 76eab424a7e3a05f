"""Look at a week of history again: heal what is missing, prove the rest equal.

One run is one week by broker time: that before the tick; by hand, the form's from and
to; in a backfill, one run per week. Messages are compared with the broker's where it
still has them, the vault's rows with the messages, and the counters of the guests whom
the week names are counted anew. Live runs go on meanwhile. The task `report` has the
report in its log and as XCom `report`; `ops.reloads` and `ops.reload_layers` keep it.

**When it fails:** nothing is harmed, and a cleared run looks again. A red `report`
means that rows differ which are never overwritten: its log says how many, the logs of
the other tasks name them.
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

import palate_assets as assets
from palate_airflow import DAG_DEFAULTS
from reload_form import reload_form, reload_layer, tell_report


@dag(
    schedule=CronTriggerTimetable(
        "0 3 * * MON", timezone="UTC", interval=timedelta(days=7)
    ),
    max_active_runs=1,
    params=reload_form(),
    doc_md=__doc__,
    tags=["orders", "maintenance"],
    **DAG_DEFAULTS,
)
def orders_history_reload():
    # A backfill's runs wait here for each other, and not in the locks of the stages.
    @task(inlets=assets.ORDER_TOPICS, max_active_tis_per_dag=1)
    def messages():
        """Compare what is staged with the broker; put back what is lost."""
        return reload_layer("messages")

    @task(max_active_tis_per_dag=1)
    def vault():
        """Load the week's positions again, and compare what is there."""
        return reload_layer("vault")

    @task(max_active_tis_per_dag=1)
    def mart(name: str):
        """Count the week's guests anew, and correct what is wrong."""
        return reload_layer(name)

    @task(trigger_rule="all_done")
    def report():
        """Tell what was found; red if something differs that is left as it is."""
        return tell_report()

    counted = [mart.override(task_id=name)(name) for name in assets.MARTS]
    messages() >> vault() >> counted >> report()


orders_history_reload()
