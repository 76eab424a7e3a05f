"""The pause within a turn of the scheduler: what ends it, and what it lets pass."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from airflow.executors.workloads import ExecuteTask
from airflow.models.taskinstancekey import TaskInstanceKey
from airflow.utils.state import TaskInstanceState
from sqlalchemy.orm import Session

from palate_airflow import prompt_executor
from palate_airflow.prompt_executor import PromptExecutor

_KEY = TaskInstanceKey("orders_stream", "drain", "a run", 1, -1)
_SUCCESS = TaskInstanceState.SUCCESS
_FOR_EVER = 86_400.0


@pytest.fixture
def executor() -> Iterator[PromptExecutor]:
    found = PromptExecutor(parallelism=1)
    found.start()
    yield found
    found.end()


@pytest.mark.parametrize("is_running", [True, False], ids=["at work", "idle"])
def test_end_of_a_task_ends_the_pause(
    executor: PromptExecutor, monkeypatch: pytest.MonkeyPatch, is_running: bool
) -> None:
    for name in ("_SECONDS_AT_WORK", "_SECONDS_IDLE"):
        monkeypatch.setattr(prompt_executor, name, _FOR_EVER)
    if is_running:
        executor.running.add(_KEY)
    with ThreadPoolExecutor() as pool:
        turn = pool.submit(executor.sync)
        executor.result_queue.put((_KEY, _SUCCESS, None))
        turn.result(timeout=60)
    assert executor.event_buffer[_KEY] == (_SUCCESS, None)


def test_turn_in_which_a_task_was_taken_has_no_pause(
    executor: PromptExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_executor, "_SECONDS_IDLE", _FOR_EVER)
    task = ExecuteTask.model_construct(ti=SimpleNamespace(key=_KEY))
    executor.queue_workload(task, Session())
    executor.sync()
    assert list(executor.queued_tasks) == [_KEY]
