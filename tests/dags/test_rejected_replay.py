"""The form of a replay: what it offers, and what the library is asked for."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG

from palate.rejected import Selection
from replay_form import selected

PATH = Path(__file__).resolve().parents[2] / "dags" / "rejected_replay.py"


@pytest.fixture(scope="module")
def dag() -> DAG:
    return DagBag(str(PATH)).dags["rejected_replay"]


def test_it_never_runs_by_itself(dag: DAG) -> None:
    assert dag.schedule is None


def test_marts_wait_for_the_vault_and_the_vault_for_the_queue(dag: DAG) -> None:
    assert dag.get_task("vault").upstream_task_ids == {"replay"}
    assert dag.get_task("vault").downstream_task_ids == {
        "user_category_counters",
        "user_product_counters",
    }


def test_untouched_form_asks_for_the_first_ten_thousand(dag: DAG) -> None:
    assert selected(dag.params.dump()) == Selection(limit=10_000)


def test_filled_form_narrows() -> None:
    params = {
        "reasons": ["wrong_shape"],
        "topic": "orders",
        "start": "2023-08-12T03:00:00+03:00",
        "end": "2023-08-13T00:00:00",
        "most": 5,
    }

    assert selected(params) == Selection(
        reasons=("wrong_shape",),
        topic="orders",
        start=datetime(2023, 8, 12, tzinfo=UTC),
        end=datetime(2023, 8, 13, tzinfo=UTC),
        limit=5,
    )
