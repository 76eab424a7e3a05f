"""The main DAG, its tasks run in this process against real services.

How a scheduler runs it is tested in ``tests/e2e``.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.asset import AssetEvent
from airflow.models.dagrun import DagRun
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from kafka import KafkaProducer
from psycopg import Connection
from sqlalchemy import select

from palate.engine.outcome import Caller
from palate.engine.stage import open_run
from palate.settings import Settings
from palate_airflow import tasks
from palate_airflow.tasks import StageFailedError, StageStuckError, run_stage

FILE = Path(__file__).resolve().parents[2] / "dags" / "orders_stream.py"
MARTS = {"user_product_counters", "user_category_counters"}
STAGES = MARTS | {"drain", "vault", "dictionaries", "tags", "publish"}

pytestmark = [
    pytest.mark.usefixtures("metadata_database", "connections"),
    # Raised inside Airflow and what it brings, which all run in this process.
    pytest.mark.filterwarnings("default"),
]


@pytest.fixture
def topic(warehouse: Settings) -> str:
    return next(iter(warehouse.palate_topics))


def _run(conf: dict[str, Any] | None = None) -> DagRun:
    dag = DagBag(str(FILE)).dags["orders_stream"]
    run: DagRun = dag.test(run_conf=conf)
    return run


def _states(run: DagRun) -> dict[str, str]:
    return {task.task_id: str(task.state) for task in run.get_task_instances()}


def _outcomes(run: DagRun) -> dict[str, dict[str, Any]]:
    query = select(XComModel).where(
        XComModel.run_id == run.run_id, XComModel.key == "return_value"
    )
    with create_session() as session:
        return {
            found.task_id: XComModel.deserialize_value(found)
            for found in session.scalars(query)
        }


def test_it_is_periodic_so_that_it_can_be_backfilled() -> None:
    dag = DagBag(str(FILE)).dags["orders_stream"]
    assert dag.timetable.timetable.interval == timedelta(minutes=5)
    assert set(dag.task_dict) == STAGES | {"all_loaded"}


def test_run_that_finds_nothing_says_so_and_is_green() -> None:
    run = _run()

    assert run.state == "success"
    outcomes = _outcomes(run)
    assert outcomes.keys() == STAGES
    assert {found["outcome"] for found in outcomes.values()} == {"nothing"}


def test_ranges_and_counts_are_in_xcom_and_in_asset_events(
    topic: str, producer: KafkaProducer
) -> None:
    producer.send(topic, b"connection test", partition=0).get(10)

    run = _run()

    outcomes = _outcomes(run)
    assert outcomes["drain"]["counts"]["messages"] == 1
    assert outcomes["vault"]["counts"]["refused"] == 1
    assert outcomes["vault"]["counts"]["refused_as_not_json"] == 1
    assert {name: found["ranges"] for name, found in outcomes.items()} == {
        "drain": [f"{topic}[0] 0..0"],
        "vault": [f"{topic}[0] 0..0"],
        "dictionaries": [],
        **{mart: [f"{topic}[0] 0..0"] for mart in MARTS},
        "tags": [f"{topic}[0] 0..0"],
        "publish": [],
    }
    query = select(AssetEvent).where(AssetEvent.source_run_id == run.run_id)
    with create_session() as session:
        events = {found.asset.uri: found.extra for found in session.scalars(query)}
    assert events == {
        "postgres://dwh:5432/dwh/stg/order_events": outcomes["drain"],
        "postgres://dwh:5432/dwh/dds/v_order": outcomes["vault"],
        "postgres://dwh:5432/dwh/stg/dictionary_entries": outcomes["dictionaries"],
        **{f"postgres://dwh:5432/dwh/cdm/{mart}": outcomes[mart] for mart in MARTS},
        "postgres://dwh:5432/dwh/cdm/user_tags": outcomes["tags"],
        "kafka://kafka:9092/cdm-user-tags": outcomes["publish"],
        "redis://redis:6379/0/tags": outcomes["publish"],
    }


def test_rendered_templates_show_the_positions(
    topic: str, producer: KafkaProducer
) -> None:
    producer.send(topic, b"connection test", partition=0).get(10)

    tasks = _run().get_task_instances()

    with create_session() as session:
        shown = {
            task.task_id: RenderedTaskInstanceFields.get_templated_fields(
                task, session=session
            )["positions"]
            for task in tasks
            if task.task_id in STAGES
        }
    assert shown["vault"] == f"{topic}[0] 0..0"
    assert shown["publish"] == "none"


def test_what_one_topic_can_not_give_holds_up_no_other(
    topic: str, producer: KafkaProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the drain had of the others is in the marts; the run is red all the same."""
    monkeypatch.setenv(
        "PALATE_TOPICS", json.dumps({"no-such-topic": "raw", topic: "raw"})
    )
    producer.send(topic, b"connection test", partition=0).get(10)

    run = _run()

    assert run.state == "failed"
    states = _states(run)
    assert states["drain"] == "failed"
    assert {states[name] for name in STAGES - {"drain"}} == {"success"}
    assert _outcomes(run)["vault"]["counts"]["refused"] == 1


def test_form_limits_what_a_run_takes(
    warehouse: Settings, topic: str, producer: KafkaProducer
) -> None:
    other = next(name for name in warehouse.palate_topics if name != topic)
    for name in (topic, other):
        for partition in (0, 1):
            producer.send(name, b"connection test", partition=partition).get(10)

    run = _run({"topics": [other], "partitions": "1", "messages": 1, "minutes": 0.5})

    assert _outcomes(run)["drain"]["ranges"] == [f"{other}[1] 0..0"]


@pytest.mark.parametrize(
    "conf", [{"messages": 0}, {"minutes": 26}, {"partitions": "1;2"}, {"topics": []}]
)
def test_form_refuses_what_makes_no_sense(conf: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(conf))):
        _run(conf)


def test_stage_that_another_run_holds_is_green_and_says_so(
    warehouse: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALATE_LOCK_WAIT", "0.1")
    with open_run(warehouse, "vault", Caller.in_shell("vault")):
        run = _run()

    assert run.state == "success"
    assert _outcomes(run)["vault"]["outcome"] == "busy"
    assert "another run has held its lock" in _outcomes(run)["vault"]["note"]


def test_backfill_that_another_one_holds_up_is_tried_again(
    warehouse: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALATE_LOCK_WAIT", "0.1")
    end = datetime.now(UTC)
    # `dag.test` makes no backfill.
    run = SimpleNamespace(
        run_type="backfill",
        conf={},
        data_interval_start=end - timedelta(minutes=5),
        data_interval_end=end,
    )
    task = SimpleNamespace(
        dag_id="orders_stream",
        run_id="backfill",
        task_id="vault",
        map_index=-1,
        try_number=1,
    )
    form = SimpleNamespace(params={})
    context = {"ti": task, "dag_run": run, "dag": form, "params": {}}
    monkeypatch.setattr(tasks, "get_current_context", lambda: context)

    with (
        open_run(warehouse, "vault:reload", Caller.in_shell("vault")),
        pytest.raises(StageFailedError, match="another run has held") as failure,
    ):
        run_stage("vault")

    assert not isinstance(failure.value, StageStuckError)


def test_marts_run_without_redis_and_the_run_is_red(
    monkeypatch: pytest.MonkeyPatch, connection: Connection
) -> None:
    _ask_for_an_entry(connection)
    monkeypatch.setenv("AIRFLOW_CONN_REDIS", "redis://127.0.0.1:1")

    run = _run()

    assert run.state == "failed"
    assert _states(run) == {
        "drain": "success",
        "vault": "success",
        "dictionaries": "failed",
        **dict.fromkeys(MARTS | {"tags", "publish"}, "success"),
        "all_loaded": "upstream_failed",
    }


def test_marts_do_not_run_when_the_vault_failed(
    topic: str, producer: KafkaProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALATE_REFUSED_LEAST", "1")  # one refused of one is too much
    producer.send(topic, b"connection test").get(10)

    run = _run()

    assert run.state == "failed"
    assert _states(run) == {
        "drain": "success",
        "vault": "failed",
        "dictionaries": "upstream_failed",
        **dict.fromkeys(MARTS | {"tags", "publish"}, "upstream_failed"),
        "all_loaded": "upstream_failed",
    }


def test_what_somebody_has_to_mend_is_a_sentence_and_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PALATE_TOPICS", json.dumps({"no-such-topic": "raw"}))

    run = _run()

    tries = {task.task_id: task.try_number for task in run.get_task_instances()}
    assert _states(run)["drain"] == "failed"
    assert tries["drain"] == 1
    assert "has no topic no-such-topic" in caplog.text
    assert not [record for record in caplog.records if record.exc_info]


def _ask_for_an_entry(connection: Connection) -> None:
    connection.execute(
        "INSERT INTO ops.dictionary_lookups"
        " (id, first_staged_dt, tried_cnt, tried_dt, next_try_dt, problem) VALUES"
        " ('626a81ce9a8cd1920641e296', now(), 0, now(), now(), 'not asked yet')"
    )
