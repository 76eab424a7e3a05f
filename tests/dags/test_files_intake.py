"""The DAGs of the area of files, which is off unless a setting names it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

from tests.dags.connections import forget_settings

INTAKE = Path(__file__).resolve().parents[2] / "dags" / "files_intake.py"
REPLAY = INTAKE.with_name("files_replay.py")
CHECKS = INTAKE.with_name("warehouse_checks.py")


@pytest.fixture(autouse=True)
def own_settings() -> Iterator[None]:
    """Let each test have the settings of its environment."""
    forget_settings()
    yield
    forget_settings()


@pytest.mark.parametrize("file", [INTAKE, REPLAY], ids=lambda path: path.stem)
def test_file_holds_no_dag_by_default(file: Path) -> None:
    bag = DagBag(str(file))
    assert (bag.import_errors, list(bag.dags)) == ({}, [])
    assert "retain_files" not in DagBag(str(CHECKS)).dags["warehouse_checks"].task_dict


def test_named_area_has_its_dags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALATE_AREAS", "food,files")
    bag = DagBag(str(INTAKE))
    assert bag.import_errors == {}
    assert sorted(bag.dags) == ["files_intake", "files_intake_history_reload"]
    dag = bag.dags["files_intake"]
    tasks = ["all_loaded", "company_years", "drain", "records", "vault"]
    assert sorted(dag.task_dict) == tasks
    assert dag.task_dict["records"].upstream_task_ids == {"drain"}
    assert dag.task_dict["vault"].upstream_task_ids == {"records"}
    # Files that a drain of one partition has staged are loaded, whatever the others do.
    assert dag.task_dict["records"].trigger_rule == "all_done"
    (waiting,) = dag.timetable.asset_condition.objects
    (bell,) = waiting.watchers
    assert {*bell.trigger.topics} == {"processedFile"}
    assert "retain_files" in DagBag(str(CHECKS)).dags["warehouse_checks"].task_dict


def test_replay_has_a_form_and_is_started_by_a_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PALATE_AREAS", "food,files")
    bag = DagBag(str(REPLAY))
    assert bag.import_errors == {}
    dag = bag.dags["files_replay"]
    assert sorted(dag.task_dict) == ["company_years", "replay", "vault"]
    assert {*dag.params} == {"imports", "dataset", "state", "reason", "limit"}
    assert dag.timetable.can_be_scheduled is False
    assert dag.task_dict["vault"].upstream_task_ids == {"replay"}
    assert "**When it fails:**" in (dag.doc_md or "")
