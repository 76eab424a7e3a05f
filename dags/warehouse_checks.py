"""Check the whole warehouse every night: keys, marts, tags, positions, freshness.

Each task is one file below `sql/checks`, run for every table of its kind, in a snapshot
of its own; live runs go on meanwhile, and what they have not counted yet is no
difference. `ops.check_results` keeps the results; `palate check` does the same.
`retain` drops what STG and the ledger no longer need, `retain_files` old files.

**When it fails:** the red task is the check that found rows which break its rule. Its
log has the rule, some of the rows, and what to do; nothing was changed. An alarm was
raised; the all-clear comes with the first run, or a cleared task, that finds none.
"""

from itertools import groupby

from airflow.sdk import CronTriggerTimetable, TaskGroup, dag, task

from palate_airflow import assets
from palate_airflow.forms import files as forms
from palate_airflow.tasks import DAG_DEFAULTS, run_as_task


@dag(
    # Before the weekly reload, and not at the full hour.
    schedule=CronTriggerTimetable("37 1 * * *", timezone="UTC"),
    max_active_runs=1,
    max_active_tasks=1,  # live runs need the other slots, and half of the server
    doc_md=__doc__,
    tags=["checks", "maintenance"],
    **DAG_DEFAULTS,
)
def warehouse_checks():
    @task(inlets=list(assets.marts(assets.areas()).values()))
    def check(name: str):
        """Find rows that break a rule."""
        from palate import checks

        return run_as_task(lambda to, by: checks.check_warehouse(to, by, [name]))

    @task
    def retain():
        """Drop old partitions of STG that nothing needs; prune the ledger."""
        from palate.landing import retention

        return run_as_task(retention.retain)

    @task
    def retain_files(area: str):
        """Remove files from the store that are old enough, or that nobody names."""
        return forms.retain(area)

    for group, files in groupby(assets.checks(), lambda one: one.group):
        with TaskGroup(group):
            for one in files:
                check.override(task_id=one.name, doc_md=one.rule)(one.full_name)
    retain()
    if assets.area("files"):
        retain_files("files")


warehouse_checks()
