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
from palate_airflow.dag_factory import history_layers, history_report
from palate_airflow.forms import rebuild
from palate_airflow.forms.reload import reload_form
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
    area = assets.areas()["food"]
    mode = task.branch(rebuild.choose_mode)()
    messages, *layers = history_layers(area)
    found = history_report(area)
    mode >> messages >> layers[0] >> layers[1:] >> found
    built, compared, swapped, dropped = rebuild.steps()
    mode >> [found, built]
    built >> compared >> rebuild.approval() >> swapped >> dropped
    compared >> [swapped, dropped]


if assets.area("food"):
    orders_history_reload()
