"""Judge files again that were refused, once their cause is fixed.

Started manually, with a form: which imports, of which dataset, state and reason, how
many. They are judged by today's schema; what is accepted is loaded and counted, the
rest stays refused. What is staged stays as it is. `palate files list` shows what there
is.

**When it fails:** nothing is lost. Each file is judged in a transaction of its own, and
a cleared task judges none twice. Once `replay` is green, the next run of this DAG or of
`files_intake` finishes what this one did not.
"""

from airflow.sdk import dag, task

from palate_airflow import assets
from palate_airflow.dag_factory import after_vault
from palate_airflow.forms import files as forms
from palate_airflow.tasks import DAG_DEFAULTS, run_stage


@dag(
    schedule=None,
    max_active_runs=1,
    params=forms.files_form(),
    doc_md=__doc__,
    tags=["files", "maintenance"],
    **DAG_DEFAULTS,
)
def files_replay():
    area = assets.areas()["files"]

    @task(outlets=[assets.MESSAGES])
    def replay():
        """Judge the files that the form selects."""
        return forms.replay(area.name)

    @task(inlets=[assets.MESSAGES], outlets=[assets.vault(area)])
    def vault(stage: str):
        """Load the records that are accepted now."""
        return run_stage(stage)

    loaded = vault(area.vault)
    counted, _ = after_vault(area)
    replay() >> loaded >> counted


if assets.area("files"):
    files_replay()
