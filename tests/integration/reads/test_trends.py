"""What the watch keeps of each log by minute, and what follows from it."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from psycopg import Connection
from typer.testing import CliRunner

from deploy.local.ports import Ports
from palate.cli.app import app
from palate.monitoring.watch import Watch
from palate.pipelines import run_pipeline
from palate.reads.status import status
from palate.settings import Settings
from tests.integration.broker import Broker
from tests.model.history import Form
from tests.unit.model.stories import line, raw
from tests.warehouses import environment_of

ORDER = raw(1, [line("d")]).value


@pytest.fixture
def watch(warehouse: Settings) -> Iterator[Watch]:
    with Watch(warehouse, lambda _: "nobody") as found:
        yield found


def rows(conn: Connection, topic: str, partition: int = 0) -> list[Any]:
    """Return (lag, positions of end, stage and marts) of each minute, in order."""
    return conn.execute(
        "SELECT max_lag, end_offset, staged_offset, mart_offset FROM ops.log_minutes"
        " WHERE (topic, kafka_partition) = (%s, %s) ORDER BY minute_dt",
        (topic, partition),
    ).fetchall()


def let_pass(conn: Connection, span: timedelta) -> None:
    """Let what was kept be as old as that."""
    conn.execute(
        "UPDATE ops.log_minutes SET minute_dt = minute_dt - %(span)s,"
        " looked_dt = looked_dt - %(span)s",
        {"span": span},
    )


def shown(settings: Settings, *arguments: str) -> str:
    done = CliRunner().invoke(
        app, ["trends", *arguments], env=environment_of(settings) | {"COLUMNS": "200"}
    )
    assert done.exit_code == 0
    return done.stdout


def trend(settings: Settings, topic: str, partition: int = 0) -> dict[str, Any]:
    (found,) = [
        one
        for one in json.loads(shown(settings, "--json"))
        if (one["topic"], one["partition"]) == (topic, partition)
    ]
    return found


def test_minute_has_one_row_and_its_worst_lag(
    warehouse: Settings, broker: Broker, connection: Connection, watch: Watch
) -> None:
    broker.send([ORDER] * 5)
    for _ in range(3):
        watch.once()
    lags = {
        (log.topic, log.epoch, log.partition): log.lag for log in status(warehouse).logs
    }
    kept = connection.execute(
        "SELECT topic, epoch, kafka_partition, max_lag FROM ops.log_minutes"
    ).fetchall()
    assert {row[:3]: row[3] for row in kept} == lags
    list(run_pipeline(warehouse))
    broker.send([ORDER])
    watch.once()

    found = rows(connection, broker.raw)
    # Another row only if a minute has ended meanwhile.
    assert len(found) <= 2
    assert (found[0][0], found[-1][1:]) == (5, (6, 5, 5))
    waited, looks = connection.execute(
        "SELECT max(max_waiting_seconds), count(DISTINCT minute_dt)"
        " FROM ops.log_minutes WHERE topic = %s AND kafka_partition = 0",
        (broker.raw,),
    ).fetchone() or (0, 0)
    assert 0 < waited < 60
    assert looks == len(found)


def test_what_is_not_seen_has_no_row(
    warehouse: Settings, broker: Broker, connection: Connection
) -> None:
    lost = warehouse.model_copy(
        update={
            "kafka_bootstrap": f"127.0.0.1:{Ports.free().kafka}",
            "palate_kafka_timeout": 0.5,
        }
    )
    with Watch(lost, lambda _: "nobody") as blind:
        blind.once()
    assert rows(connection, broker.raw) == []
    assert "The watch has seen no log" in shown(warehouse)

    broker.send([ORDER])
    list(run_pipeline(warehouse))
    missing = {broker.enriched: Form.ENRICHED, "nowhere": Form.RAW}
    half = warehouse.model_copy(update={"palate_topics": missing})
    with Watch(half, lambda _: "nobody") as half_blind:
        half_blind.once()

    assert rows(connection, "nowhere") == []
    assert rows(connection, broker.raw) == []  # though the ledger has it
    assert rows(connection, broker.enriched) == [(0, 0, 0, 0)]


def test_lag_that_shrinks_says_when_it_is_gone(
    warehouse: Settings, broker: Broker, connection: Connection, watch: Watch
) -> None:
    broker.send([ORDER] * 5)
    watch.once()
    assert trend(warehouse, broker.raw)["arriving"] is None  # of one look: no rate
    let_pass(connection, timedelta(minutes=4))
    list(run_pipeline(warehouse))
    broker.send([ORDER] * 3)
    watch.once()

    found = trend(warehouse, broker.raw)

    assert (found["area"], found["lag"]) == ("food", 3)
    assert found["arriving"] == pytest.approx(3 / 240, rel=0.3)
    assert found["loading"] == pytest.approx(5 / 240, rel=0.3)
    gained = found["loading"] - found["arriving"]
    assert found["seconds_to_clear"] == pytest.approx(3 / gained)
    assert trend(warehouse, broker.raw, 1)["seconds_to_clear"] == 0
    assert f"{broker.raw}[0]" in shown(warehouse)

    let_pass(connection, timedelta(minutes=4))
    broker.send([ORDER] * 2)
    watch.once()
    found = trend(warehouse, broker.raw)
    # The first look is eight minutes old: only the last five count.
    assert (found["lag"], found["loading"]) == (5, 0)
    assert found["seconds_to_clear"] is None
    assert "it does not shrink" in shown(warehouse)


def test_hour_and_day_have_a_point_for_each_span(
    warehouse: Settings, broker: Broker, connection: Connection, watch: Watch
) -> None:
    broker.send([ORDER] * 2)
    watch.once()
    let_pass(connection, timedelta(hours=20))
    list(run_pipeline(warehouse))
    watch.once()
    let_pass(connection, timedelta(minutes=30))
    broker.send([ORDER])
    watch.once()

    found = trend(warehouse, broker.raw)

    lags = {name: [one["lag"] for one in found[name]] for name in ("hour", "day")}
    assert (len(lags["hour"]), len(lags["day"])) == (60, 96)
    assert [lag for lag in lags["hour"] if lag is not None] == [0, 1]
    assert [lag for lag in lags["day"] if lag is not None] == [2, 0, 1]
    assert lags["day"].index(2) == pytest.approx(95 - 20.5 * 4, abs=1)
    seen = [one for one in found["day"] if one["lag"] is not None]
    assert all((one["waiting_seconds"] > 0) == (one["lag"] > 0) for one in seen)


def test_what_the_watch_saw_earlier_is_not_shown_as_now(
    warehouse: Settings, broker: Broker, connection: Connection, watch: Watch
) -> None:
    broker.send([ORDER])
    watch.once()
    let_pass(connection, timedelta(minutes=2))

    found = trend(warehouse, broker.raw)

    assert found["lag"] is found["looked_dt"] is found["seconds_to_clear"] is None
    assert max(one["lag"] or 0 for one in found["hour"]) == 1
