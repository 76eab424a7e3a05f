"""The nightly checks, run in this process against real services."""

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.dagrun import DagRun
from kafka import KafkaProducer
from psycopg import Connection

from palate.pipelines import run_pipeline
from palate.settings import Settings
from tests.food import food_checks
from tests.unit.model.stories import line, raw

FILE = Path(__file__).resolve().parents[2] / "dags" / "warehouse_checks.py"

pytestmark = [
    pytest.mark.usefixtures("metadata_database", "connections"),
    # Raised inside Airflow and what it brings, which all run in this process.
    pytest.mark.filterwarnings("default"),
]


def _states(run: DagRun) -> dict[str, str]:
    return {task.task_id: str(task.state) for task in run.get_task_instances()}


def test_dag_has_no_form_as_the_page_that_starts_it_sends_nothing() -> None:
    assert dict(DagBag(str(FILE)).dags[FILE.stem].params) == {}


def test_red_task_is_the_check_that_found_rows(
    warehouse: Settings,
    connection: Connection,
    producer: KafkaProducer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    producer.send(next(iter(warehouse.palate_topics)), raw(1, [line("d")]).value)
    producer.flush()
    list(run_pipeline(warehouse))
    connection.execute("UPDATE cdm.user_product_counters SET order_cnt = 7")

    dag = DagBag(str(FILE)).dags["warehouse_checks"]
    run: DagRun = dag.test()

    states = _states(run)
    assert run.state == "failed"
    assert states.keys() == {
        "retain",
        *(f"{one.group}.{one.name}" for one in food_checks()),
    }
    # A counter that is wrong is also not what was summed.
    assert {name for name, state in states.items() if state != "success"} == {
        "marts.equal_the_vault",
        "totals.equal_the_mart",
    }
    assert "Every row of cdm.<mart> is what follows from the vault" in caplog.text
    assert "order_cnt 7" in caplog.text
    assert "see docs/operations.md, 'A check found rows'" in caplog.text
