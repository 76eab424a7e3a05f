"""How many tasks of a backfill are at work at once, in a pool of any size."""

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.models.dagrun import DagRun
from airflow.models.pool import Pool
from airflow.utils.session import create_session

import airflow_local_settings as hooks

pytestmark = [
    pytest.mark.usefixtures("metadata_database"),
    pytest.mark.filterwarnings("default"),
]


def _task(run_id: str, pool: str = "default_pool") -> Any:
    return SimpleNamespace(run_id=run_id, pool=pool, pool_slots=1, priority_weight=7)


def test_one_to_three_tasks_fit_and_a_slot_is_left_for_live_runs() -> None:
    for slots in range(3, 300):
        taken = hooks.slots_of_a_backfill(slots)
        at_once = slots // taken
        assert 1 <= at_once <= 3, slots
        assert taken * at_once < slots, slots


@pytest.mark.parametrize(
    ("slots", "taken"), [(1, 1), (2, 1), (4, 3), (16, 5), (39, 12), (128, 40)]
)
def test_slots_of_a_task(slots: int, taken: int) -> None:
    assert hooks.slots_of_a_backfill(slots) == taken


@pytest.mark.parametrize(("slots", "taken"), [(16, 5), (3, 2), (-1, 40)])
def test_pool_is_asked_for_its_size(slots: int, taken: int) -> None:
    with create_session() as session:
        pool = Pool(pool="small", slots=slots, include_deferred=False)
        run = DagRun(dag_id="orders_stream", run_id="backfill__1")
        with session.no_autoflush:
            session.add(pool)
            session.flush()
            session.add(run)
            task = _task("backfill__1", "small")
            hooks.task_instance_mutation_hook(task, run)
            assert (task.pool_slots, task.priority_weight) == (taken, 0)
        session.rollback()


def test_without_a_pool_the_default_size_counts() -> None:
    task = _task("backfill__1", "none")
    hooks.task_instance_mutation_hook(task)
    assert task.pool_slots == 40


def test_live_runs_are_left_alone() -> None:
    task = _task("scheduled__1")
    hooks.task_instance_mutation_hook(task)
    assert (task.pool_slots, task.priority_weight) == (1, 7)
