"""Compare the vault with the airline's standby, and heal it after a new snapshot.

Runs nightly, at once after a snapshot, and manually: the form says whether differences
are healed in any case. It waits until all that the standby had is loaded. What was
deleted while nobody listened is in no message: only this finds it.

**When it fails:** nothing is harmed. `compare` red with differences: an alarm was
raised, its text names rows and what to do (docs/flights-connector.md); many rows gone
at once wait for a person. Red for the standby or the connector: the next run compares.
"""

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag, task

from palate_airflow import assets
from palate_airflow.dag_factory import after_vault
from palate_airflow.forms import reconcile as forms
from palate_airflow.tasks import DAG_DEFAULTS


@dag(
    # Before the nightly checks, which then find every snapshot compared.
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("7 1 * * *", timezone="UTC"),
        assets=[assets.SNAPSHOTS],
    ),
    max_active_runs=1,
    params=forms.reconcile_form(),
    doc_md=__doc__,
    tags=["flights", "maintenance"],
    **DAG_DEFAULTS,
)
def flights_reconcile():
    area = assets.areas()["flights"]

    # It waits for the connector, which may need minutes: no retry is quicker.
    @task(inlets=[assets.vault(area)], outlets=[assets.vault(area)], retries=1)
    def compare():
        """Compare all rows with the standby's, twice; heal what may be healed."""
        return forms.reconcile(area.name)

    counted, _ = after_vault(area, trigger_rule="all_done")
    compare() >> counted


if assets.area("flights"):
    flights_reconcile()
