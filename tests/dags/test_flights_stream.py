"""The DAGs of an area that is off unless a setting names it."""

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

from palate_airflow import assets

FILE = Path(__file__).resolve().parents[2] / "dags" / "flights_stream.py"


def test_file_holds_no_dag_by_default() -> None:
    bag = DagBag(str(FILE))
    assert (bag.import_errors, list(bag.dags)) == ({}, [])


def test_named_area_has_its_dags(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = assets._SETTINGS.model_copy(
        update={"palate_areas": "food,flights", "flights_topic_prefix": "airline"}
    )
    monkeypatch.setattr(assets, "_SETTINGS", settings)
    bag = DagBag(str(FILE))
    assert bag.import_errors == {}
    assert sorted(bag.dags) == ["flights_history_reload", "flights_stream"]
    dag = bag.dags["flights_stream"]
    assert sorted(dag.task_dict) == ["all_loaded", "drain", "presentation", "vault"]
    assert "**When it fails:**" in (dag.doc_md or "")
    topics = {asset.name for asset in dag.task_dict["drain"].inlets}
    assert "airline.bookings.tickets" in topics
    assert len(topics) == 9
    (waiting,) = dag.timetable.asset_condition.objects
    (bell,) = waiting.watchers
    # A heartbeat starts no run.
    assert {*bell.trigger.topics} == topics - {"airline.bookings.heartbeat"}
