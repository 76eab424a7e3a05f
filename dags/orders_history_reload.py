"""Reload a week of history, or rebuild the vault and the marts from STG.

**Reload**: one run is one week by broker time: the one before the tick, the form's from
and to, or a backfill's; every layer is compared and healed, beside live runs. `report`
has the report in its log and as XCom. **Rebuild**: new tables are filled beside the
live ones and compared; differences wait for an answer at `approve`; then they are
swapped.

**When it fails:** nothing is harmed; the next attempt goes on where it was, a cleared
layer that was done is compared again, and a rebuild goes on. A red `report` means that
rows differ which are never overwritten: the tasks' logs name them. In a rebuild the log
names the obstacle.
"""

from airflow.sdk import CronTriggerTimetable, dag, task

from palate_airflow import assets
from palate_airflow.forms import rebuild
from palate_airflow.forms.reload import reload_form, reload_layer, write_report
from palate_airflow.tasks import DAG_DEFAULTS


@dag(
    schedule=CronTriggerTimetable("0 3 * * 1", timezone="UTC", interval=rebuild.WEEK),
    max_active_runs=1,
    params=rebuild.rebuild_form() | reload_form(),
    doc_md=__doc__,
    tags=["orders", "maintenance"],
    **DAG_DEFAULTS | {"dagrun_timeout": rebuild.WEEK},
)
def orders_history_reload():
    # The next attempt at a layer that was killed, or timed out, goes on where it was.
    @task(inlets=assets.ORDER_TOPICS, max_active_tis_per_dag=1, **rebuild.PATIENT)
    def messages():
        """Compare what is staged with the broker; put back what is lost."""
        return reload_layer("messages")

    # A backfill's runs wait here, and not in a lock.
    @task(max_active_tis_per_dag=1, **rebuild.PATIENT)
    def layer(name: str):
        """Heal and compare a layer: the vault's rows, or the week's guests."""
        return reload_layer(name)

    @task(trigger_rule="all_done")
    def report():
        """Report what was found; red if something differs that is left as it is."""
        return write_report()

    mode, found = task.branch(rebuild.choose_mode)(), report()
    layers = [layer.override(task_id=name)(name) for name in ("vault", *assets.marts())]
    mode >> messages() >> layers[0] >> layers[1:] >> found
    built, compared, swapped, dropped = rebuild.steps()
    mode >> [found, built]
    built >> compared >> rebuild.approval() >> swapped >> dropped
    compared >> [swapped, dropped]


orders_history_reload()
