"""Which tasks of a history reload run by which form, in this process.

What an answer to the question does is tested in ``tests/e2e``.
"""

from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from psycopg import Connection

from palate.marts.definitions import load_marts

FILE = Path(__file__).resolve().parents[2] / "dags" / "orders_history_reload.py"
LOOK = {"messages", "vault", *load_marts("food"), "report"}
REBUILD = {"build", "compare", "swap", "drop_rejected"}

pytestmark = [
    pytest.mark.usefixtures("metadata_database", "connections"),
    # Raised inside Airflow and what it brings, which all run in this process.
    pytest.mark.filterwarnings("default"),
]


def _states(**form: Any) -> dict[str, set[str]]:
    run = DagBag(str(FILE)).dags[FILE.stem].test(run_conf=form)
    states: dict[str, set[str]] = {}
    for task in run.get_task_instances():
        states.setdefault(str(task.state), set()).add(task.task_id)
    return states


def test_look_builds_nothing() -> None:
    assert _states(source="stg") == {
        "success": {"choose_mode", *LOOK},
        "skipped": {"approve", *REBUILD},
    }


def test_rebuild_of_equal_tables_asks_nobody() -> None:
    assert _states(mode="rebuild") == {
        "success": {"choose_mode", *REBUILD},
        "skipped": {"approve", *LOOK},
    }


def test_reject_skips_the_swap_alone() -> None:
    """Airflow skips what is directly behind a question that is answered by no."""
    tasks = DagBag(str(FILE)).dags[FILE.stem].task_dict
    assert tasks["approve"].downstream_task_ids == {"swap"}
    assert tasks["swap"].downstream_task_ids == {"drop_rejected"}
    assert "drop_rejected" in tasks["compare"].downstream_task_ids


def test_rebuild_asks_nobody_if_the_form_says_so(connection: Connection) -> None:
    connection.execute(
        "INSERT INTO dds.h_user VALUES (uuid_generate_v4(), 'of nobody', now(), '')"
    )
    assert _states(mode="rebuild", ask=False)["success"] == {"choose_mode", *REBUILD}
    assert connection.execute("SELECT count(*) FROM dds.h_user").fetchone() == (0,)
    report = connection.execute("SELECT outcome, report FROM ops.rebuilds").fetchone()
    assert report is not None
    assert report[0] == "swapped"
    assert "h_user_pk" in report[1]
