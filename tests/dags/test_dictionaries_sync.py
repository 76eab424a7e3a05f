"""The hourly synchronisation, its tasks run in this process against real services."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis
from airflow.dag_processing.dagbag import DagBag
from psycopg import Connection

from palate.engine.outcome import Caller
from palate.pipelines import look_up
from palate.settings import Settings
from palate.vault import stage as vault
from tests.dags.connections import connect
from tests.food import FOOD
from tests.integration.staged import stage_messages, with_topics
from tests.unit.model.stories import DAY_1, DAY_2, DAY_3, dish, guest, line, menu, raw

FILE = Path(__file__).resolve().parents[2] / "dags" / "dictionaries_sync.py"

pytestmark = [
    pytest.mark.usefixtures("metadata_database"),
    # Raised inside Airflow and what it brings, which all run in this process.
    pytest.mark.filterwarnings("default"),
]


def test_move_that_redis_tells_of_is_in_the_marts_when_it_ends(
    warehouse: Settings, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = with_topics(warehouse)
    connect(monkeypatch, settings)
    message = raw(1, [line("d", name=None)], date=DAY_3, update_ts=DAY_3)
    stage_messages(connection, [message], datetime.now(UTC))
    with redis.Redis.from_url(settings.redis_url.get_secret_value()) as client:
        client.set("u", guest("u", DAY_1).value)
        client.set("r", menu("r", DAY_1, dish("d", category="Суп")).value)
        vault.run(settings, FOOD, Caller.in_shell("vault"))
        look_up(settings, Caller.in_shell("dictionaries"))
        client.set("r", menu("r", DAY_2, dish("d", category="Пицца")).value)

    run = DagBag(str(FILE)).dags["dictionaries_sync"].test()

    assert run.state == "success"
    assert connection.execute(
        "SELECT category_name, order_cnt FROM cdm.user_category_counters"
    ).fetchall() == [("Пицца", 1)]
