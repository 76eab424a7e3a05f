"""What holds for every DAG, whoever adds it. Messages name the culprit."""

import ast
import json
import time
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

DAGS = Path(__file__).resolve().parents[2] / "dags"
# Of areas that are off unless a setting names them: test_flights_stream.py and
# test_files_intake.py.
OFF = {"flights_stream", "flights_reconcile", "files_intake", "files_replay"}
FILES = sorted(path for path in DAGS.glob("*.py") if path.stem not in OFF)
ALLOWED_TAGS = {"orders", "dictionaries", "checks", "maintenance"}
MOST_LINES = 60

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def _dag(path: Path) -> DAG:
    bag = DagBag(str(path))
    assert not bag.import_errors, bag.import_errors
    return bag.dags[path.stem]  # the file's name is the DAG's id


def _serialized(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(DagSerialization.to_dict(_dag(path))))
    return found


@every_file
def test_file_holds_one_dag_of_its_own_name(path: Path) -> None:
    bag = DagBag(str(path))
    assert bag.import_errors == {}
    assert list(bag.dags) == [path.stem]


@every_file
def test_past_ticks_are_not_caught_up(path: Path) -> None:
    dag = _dag(path)
    assert dag.catchup is False
    assert dag.dagrun_timeout is not None, f"{path.stem} may run for ever"


@every_file
def test_tags_are_known(path: Path) -> None:
    tags = set(_dag(path).tags)
    assert tags, f"{path.stem} has no tag"
    assert tags <= ALLOWED_TAGS, f"{path.stem} has unknown tags {tags - ALLOWED_TAGS}"


@every_file
def test_docs_say_what_to_do_when_it_fails(path: Path) -> None:
    dag = _dag(path)
    assert "**When it fails:**" in (dag.doc_md or ""), path.stem
    undocumented = [task.task_id for task in dag.tasks if not task.doc_md]
    assert not undocumented, f"{path.stem}: no docs for {undocumented}"


@every_file
def test_tasks_have_owner_retries_and_timeout(path: Path) -> None:
    for task in _dag(path).tasks:
        name = f"{path.stem}.{task.task_id}"
        assert task.owner == "palate", name
        assert task.retries >= 1, f"{name} is not tried again"
        assert task.retry_exponential_backoff, f"{name}: its pauses don't grow"
        assert task.execution_timeout is not None, f"{name} may hang for ever"


@every_file
def test_file_is_wiring_only(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = len(text.splitlines())
    assert lines <= MOST_LINES, f"{path.name} has {lines} lines"
    assert "Variable" not in text, f"{path.name} reads a Variable"
    assert "getenv" not in text, f"{path.name} reads the environment"
    assert "environ" not in text, f"{path.name} reads the environment"
    imported = {
        name.name.split(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            node.names
            if isinstance(node, ast.Import)
            else [ast.alias(node.module or "")]
        )
    }
    others = {other.stem for other in FILES} & imported
    assert not others, f"{path.name} imports the DAG files {others}"


@every_file
def test_reading_needs_no_connection(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        pytest.fail(f"{path.name} asks for a Connection or Variable while it is read")

    monkeypatch.setattr("airflow.sdk.definitions.connection.Connection.get", refuse)
    monkeypatch.setattr("airflow.sdk.definitions.variable.Variable.get", refuse)
    _dag(path)


@every_file
def test_two_readings_are_the_same(path: Path) -> None:
    # What differs between two readings makes a new version of the DAG each time.
    assert _serialized(path) == _serialized(path)


@every_file
def test_scheduler_reads_what_was_written(path: Path) -> None:
    dag, read = _dag(path), DagSerialization.from_dict(_serialized(path))
    assert read.dag_id == dag.dag_id
    assert {task.task_id: task.upstream_task_ids for task in read.tasks} == {
        task.task_id: task.upstream_task_ids for task in dag.tasks
    }
    assert dict(read.params.dump()) == dict(dag.params.dump())


@every_file
def test_reading_is_quick(path: Path) -> None:
    # Two seconds of the processor: ten times what any file needs, and what hangs on a
    # service or reads data while it is read takes more.
    _dag(path)
    start = time.process_time()
    _dag(path)
    assert time.process_time() - start < 2
