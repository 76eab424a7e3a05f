"""The DAGs of an area that is off unless a setting names it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

from tests.dags.connections import forget_settings

FILE = Path(__file__).resolve().parents[2] / "dags" / "flights_stream.py"
COMPARISON = FILE.with_name("flights_reconcile.py")


@pytest.fixture(autouse=True)
def own_settings() -> Iterator[None]:
    """Let each test have the settings of its environment."""
    forget_settings()
    yield
    forget_settings()


@pytest.mark.parametrize("file", [FILE, COMPARISON], ids=lambda path: path.stem)
def test_file_holds_no_dag_by_default(file: Path) -> None:
    bag = DagBag(str(file))
    assert (bag.import_errors, list(bag.dags)) == ({}, [])


def test_comparison_follows_a_new_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALATE_AREAS", "food,flights")
    streamed = DagBag(str(FILE)).dags["flights_stream"].task_dict["new_snapshot"]
    bag = DagBag(str(COMPARISON))
    assert bag.import_errors == {}
    dag = bag.dags["flights_reconcile"]
    assert sorted(dag.task_dict) == ["compare", "presentation"]
    assert {*dag.params} == {"heal", "confirm"}
    assert "**When it fails:**" in (dag.doc_md or "")
    (snapshots,) = dag.timetable.asset_condition.objects
    assert [one.name for one in streamed.outlets] == [snapshots.name]


def test_named_area_has_its_dags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALATE_AREAS", "food,flights")
    monkeypatch.setenv("FLIGHTS_TOPIC_PREFIX", "airline")
    bag = DagBag(str(FILE))
    assert bag.import_errors == {}
    assert sorted(bag.dags) == ["flights_history_reload", "flights_stream"]
    dag = bag.dags["flights_stream"]
    assert sorted(dag.task_dict) == [
        "all_loaded", "drain", "new_snapshot", "presentation", "vault",
    ]  # fmt: skip
    assert "**When it fails:**" in (dag.doc_md or "")
    topics = {asset.name for asset in dag.task_dict["drain"].inlets}
    assert "airline.bookings.tickets" in topics
    assert len(topics) == 9
    (waiting,) = dag.timetable.asset_condition.objects
    (bell,) = waiting.watchers
    # A heartbeat starts no run.
    assert {*bell.trigger.topics} == topics - {"airline.bookings.heartbeat"}


def test_copy_of_the_mart_is_a_task_where_it_has_an_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PALATE_AREAS", "food,flights")
    monkeypatch.setenv("MART_DSN", "postgresql://mart@localhost/mart")
    bag = DagBag(str(FILE))
    assert bag.import_errors == {}
    task = bag.dags["flights_stream"].task_dict["copy_presentation"]
    assert task.upstream_task_ids == {"presentation"}
    assert task.downstream_task_ids == {"all_loaded"}
    (inlet,), (outlet,) = task.inlets, task.outlets
    assert inlet.uri == "postgres://dwh:5432/dwh/cdm/presentation"
    assert outlet.uri == "postgres://mart:5432/mart/presentation/presentation"
