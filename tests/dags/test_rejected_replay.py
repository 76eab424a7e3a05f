"""The form of a replay: what it offers, and what the library is asked for."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from psycopg import Connection

from palate.landing.refusals import Selection
from palate.positions import FeedPartition
from palate.reads import refused
from palate.settings import Settings
from palate_airflow.forms.replay import selected
from tests.cockpit.conftest import as_role, make_app
from tests.cockpit.forms import Forms
from tests.corpus.case import BROKER_DT, example
from tests.dags.connections import connect
from tests.integration.staged import load, stage_messages, with_topics
from tests.model.history import Form, Message

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


def test_untouched_form_asks_for_the_first_ten_thousand(
    dag: DAG, warehouse: Settings
) -> None:
    assert selected(dag.params.dump(), warehouse) == Selection(limit=10_000)


def test_filled_form_narrows(
    dag: DAG, warehouse: Settings, connection: Connection
) -> None:
    message = Message("orders", 0, 2, 0, BROKER_DT, b"no order")
    stage_messages(connection, [message])
    form = {
        "reasons": ["wrong_shape"],
        "topic": "orders",
        "partition": 2,
        "offset": "160, 170..180",
        "positions": "orders/0/2: 160, 170..180; orders/0/2: 7",
        "from": "2023-08-12T03:00:00+03:00",
        "to": "2023-08-13T00:00:00",
        "limit": 5,
    }

    assert selected(dag.params.dump() | form, warehouse) == Selection(
        reasons=("wrong_shape",),
        topic="orders",
        partition=2,
        offsets=((160, 160), (170, 180)),
        positions=((FeedPartition("orders", 0, 2), ((160, 160), (170, 180), (7, 7))),),
        start=datetime(2023, 8, 12, tzinfo=UTC),
        end=datetime(2023, 8, 13, tzinfo=UTC),
        limit=5,
    )


@pytest.mark.usefixtures("metadata_database")
@pytest.mark.filterwarnings("default")  # raised inside Airflow, in this process
def test_run_loads_what_a_mended_setting_accepts(
    warehouse: Settings, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = next(t for t, form in warehouse.palate_topics.items() if form == "raw")
    messages = [
        Message(topic, 0, 0, at, BROKER_DT, example(Form.RAW, {"object_id": at}))
        for at in range(3)
    ]
    stage_messages(connection, messages)
    load(with_topics(warehouse, {topic: Form.ENRICHED}))
    connect(monkeypatch, warehouse)

    dag = DagBag(str(PATH)).dags["rejected_replay"]
    run = dag.test(run_conf={"reasons": ["wrong_shape"], "topic": topic, "limit": 2})

    assert run.state == "success"
    assert refused.count(connection, Selection()) == {"wrong_shape": 1}
    assert connection.execute(
        "SELECT sum(order_cnt) FROM cdm.user_product_counters"
    ).fetchone() == (4,)  # two dishes in each of two orders


@pytest.mark.usefixtures("metadata_database")
@pytest.mark.filterwarnings("default")
def test_run_for_one_offset_replays_just_that(
    warehouse: Settings, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = next(iter(warehouse.palate_topics))
    messages = [Message(topic, 0, 0, at, BROKER_DT, b"no order") for at in range(3)]
    stage_messages(connection, messages)
    load(warehouse)
    connect(monkeypatch, warehouse)

    run = DagBag(str(PATH)).dags["rejected_replay"].test(run_conf={"offset": 1})

    assert run.state == "success"
    assert connection.execute(
        "SELECT array_agg(kafka_offset) FROM ops.replays"
    ).fetchone() == ([1],)


@pytest.mark.parametrize(
    ("path", "dialog", "checked", "chosen"),
    [
        ("/refused?reason=not_json", "replay-all", "", [0, 1, 2]),
        ("/refused?partition=0&to=2023-08-12T06:08", "replay-all", "", [0]),
        ("/refused", "replay-some", "{topic}/0/0: 0; {topic}/0/0: 2", [0, 2]),
        ("/refused/{topic}/0/0/1", "replay-this", "", [1]),
    ],
)
def test_page_sends_every_field_of_the_form(
    warehouse: Settings,
    connection: Connection,
    path: str,
    dialog: str,
    checked: str,
    chosen: list[int],
) -> None:
    """Airflow takes a conf with other fields, and would replay everything."""
    topic = next(iter(warehouse.palate_topics))
    messages = [
        Message(topic, 0, 0, at, BROKER_DT + timedelta(minutes=at), b"no order")
        for at in range(3)
    ]
    stage_messages(connection, messages)
    load(warehouse)
    app = make_app(warehouse)
    text = as_role(app, "user").get(path.format(topic=topic)).text
    app.state.sessions.close()
    page = Forms(text, checked.format(topic=topic))

    params = DagBag(str(PATH)).dags["rejected_replay"].params
    sent = page.sent[dialog]
    assert page.starts[dialog] == "rejected_replay"
    assert sent.keys() == params.keys()
    params.update(sent)
    params.validate()  # as Airflow does before it begins a run
    asked = selected(params.dump(), warehouse)
    assert [one.offset for one in refused.find(connection, asked)] == chosen
