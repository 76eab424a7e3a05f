"""A form that can't be meant: the first task fails at once, and names what is known.

That no further attempt is made is tested in ``tests/e2e``.
"""

from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from psycopg import Connection

from palate.settings import Settings
from tests.corpus.case import BROKER_DT
from tests.dags.connections import connect
from tests.integration.staged import load, stage_messages, with_topics
from tests.model.history import Message

DAGS = Path(__file__).resolve().parents[2] / "dags"

pytestmark = [
    pytest.mark.usefixtures("metadata_database"),
    pytest.mark.filterwarnings("default"),  # raised inside Airflow, in this process
]


@pytest.mark.parametrize(
    ("dag", "task", "conf", "sentence"),
    [
        ("orders_stream", "drain", {"message": 5}, "no field 'message'. It has: "),
        ("orders_stream", "drain", {"partitions": "0, 99"}, "no partition 99. There"),
        ("dictionaries_sync", "dictionaries", {"all": True}, "'all'. It has none."),
        ("rejected_replay", "replay", {"reasons": ["x"]}, "no reason x. There are: "),
        ("rejected_replay", "replay", {"offset": 160}, "at offset 160: none"),
        ("rejected_replay", "replay", {"positions": "x/0/0: 5"}, "no log x/0/0. There"),
        ("orders_history_reload", "choose_mode", {"to": "2026-13-45"}, "To is '2026-"),
        (
            "orders_history_reload",
            "choose_mode",
            {"mode": "rebuild", "from": "2023-08-13"},
            "it can't be narrowed by from",
        ),
    ],
)
def test_it_fails_at_once_and_says_why(
    warehouse: Settings,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    dag: str,
    task: str,
    conf: dict[str, Any],
    sentence: str,
) -> None:
    topic = next(iter(warehouse.palate_topics))
    stage_messages(connection, [Message(topic, 0, 0, 0, BROKER_DT, b"no order")])
    load(with_topics(warehouse, {topic: "raw"}))
    before = _ledger(connection)
    connect(monkeypatch, warehouse)

    found = DagBag(str(DAGS / f"{dag}.py")).dags[dag]
    for one in found.tasks:
        one.retries = 0  # this way of running a DAG knows no policy of retries
    run = found.test(run_conf=conf)

    assert str(run.get_task_instance(task).state) == "failed"
    assert sentence in caplog.text
    assert _ledger(connection) == before


def _ledger(connection: Connection) -> list[Any]:
    """Return what any work would have changed.

    But for the look-up of ids: what waits behind a failed drain is taken all the same.
    """
    return connection.execute(
        "SELECT (SELECT count(*) FROM ops.batches WHERE stage IN ('drain', 'vault')),"
        " (SELECT count(*) FROM ops.replays),"
        " (SELECT count(*) FROM ops.reloads), (SELECT count(*) FROM ops.rebuilds),"
        " (SELECT count(*) FROM ops.check_results)"
    ).fetchall()
