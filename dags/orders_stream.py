"""Take the orders that wait in Kafka to the marts and the tags.

A run starts within seconds when a message waits (the bell), every five minutes in any
case, manually, or in a backfill, which also compares the broker times of its interval
with STG and puts back what is missing. Log, XCom and asset event say what a task did.

**When it fails:** nothing is lost or counted twice. The next run goes on where this one
stopped; a cleared task does its own work again. The end of the failed task's log says
what to do. While Redis is down `dictionaries` fails, the marts load, and names follow.
"""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import dag, task

from palate_airflow import assets
from palate_airflow.dag_factory import marts_and_tags
from palate_airflow.forms.limits import limits_form
from palate_airflow.tasks import DAG_DEFAULTS, run_stage
from palate_airflow.tasks import drain as drain_as_asked


@dag(
    schedule=assets.ORDERS_WAITING_OR_FIVE_MINUTES,
    # With 1, a run's retries and a backfill's runs would delay live ones (ADR 0007).
    max_active_runs=300,
    params=limits_form(assets.TOPICS),
    doc_md=__doc__,
    tags=["orders"],
    **DAG_DEFAULTS,
)
def orders_stream():
    @task(inlets=assets.ORDER_TOPICS, outlets=[assets.ORDER_EVENTS])
    def drain():
        """Stage the messages that wait, byte by byte, with their positions."""
        return drain_as_asked()

    # A drain also fails when one partition can't be read; the others are staged.
    @task(inlets=[assets.ORDER_EVENTS], outlets=[assets.VAULT], trigger_rule="all_done")
    def vault():
        """Parse what is staged, load the vault, and refuse invalid messages."""
        return run_stage("vault.stage")

    # The next run tries again: more retries would only delay the marts.
    @task(inlets=[assets.DICTIONARIES], outlets=[assets.DICTIONARY_ENTRIES], retries=1)
    def dictionaries():
        """Ask Redis for unknown guests and restaurants; load them."""
        return run_stage("pipelines", "look_up")

    drained, loaded, looked_up = drain(), vault(), dictionaries()
    counted, sent = marts_and_tags(trigger_rule="all_done_min_one_success")
    drained >> loaded >> looked_up >> counted
    loaded >> counted
    end = EmptyOperator(task_id="all_loaded", doc_md="Red when a task before it is.")
    [drained, looked_up, *counted, *sent] >> end


orders_stream()
