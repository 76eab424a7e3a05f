"""The promise of freshness, and who is told: one alarm per incident, one all-clear."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import Connection, sql
from typer.testing import CliRunner

from deploy.local import postgres
from deploy.local.ports import Ports
from deploy.local.secrets import Secrets
from deploy.local.stack import Stack
from palate.cli.app import app
from palate.database import connect
from palate.errors import AlarmNotSentError, PositionGapError
from palate.incidents import Kind, begin, end
from palate.landing import drain
from palate.landing.accept_gap import accept_gap
from palate.monitoring import alarms
from palate.monitoring.alarms import Alarm
from palate.monitoring.watch import Watch
from palate.pipelines import run_pipeline
from palate.reads.status import status
from palate.settings import Settings
from tests.e2e.airflow_api import until
from tests.food import FOOD
from tests.integration.broker import Broker
from tests.integration.staged import caller
from tests.unit.model.stories import line, raw

ALARM = ("alarm", "freshness", "marts")
ALL_CLEAR = ("all-clear", "freshness", "marts")


class Told:
    """Somebody who is told of incidents, or can't be reached."""

    def __init__(self) -> None:
        """Begin with nothing told."""
        self.alarms: list[Alarm] = []
        self.is_reachable = True

    def __call__(self, alarm: Alarm) -> str:
        """Be told."""
        if not self.is_reachable:
            raise AlarmNotSentError(alarm.title)
        self.alarms.append(alarm)
        return "somebody"

    @property
    def what(self) -> list[tuple[str, str, str]]:
        """Return what was told, in order."""
        return [
            (
                "all-clear" if one.is_over else "alarm",
                str(one.incident.kind),
                one.incident.subject,
            )
            for one in self.alarms
        ]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def hasty(warehouse: Settings) -> Settings:
    """Promise so much that it can't be kept without a load at once."""
    return warehouse.model_copy(update={"palate_freshness_seconds": 0.05})


def _until(watch: Watch, look: Callable[[], Any]) -> None:
    """Let the watch look until something is so."""

    def done() -> bool:
        watch.once()
        return bool(look())

    until(done, "what the watch is to tell", seconds=60)


def test_broken_promise_is_told_once_and_so_is_its_end(
    hasty: Settings, broker: Broker, told: Told
) -> None:
    watch = Watch(hasty, told)
    watch.once()
    broker.send([raw(1, [line("d")]).value, raw(2, [line("d")]).value])

    _until(watch, lambda: told.alarms)
    broker.send([raw(3, [line("d")]).value])
    for _ in range(3):
        watch.once()

    assert told.what == [ALARM]
    assert f"{broker.raw}[0] ended at offset 2 then" in told.alarms[0].text
    assert "the stages are at: drain nowhere, vault nowhere" in told.alarms[0].text
    done = _status(hasty)
    assert done.exit_code == 18
    assert json.loads(done.stdout)["freshness"]["is_kept"] is False

    list(run_pipeline(hasty))
    for _ in range(2):
        watch.once()

    assert told.what == [ALARM, ALL_CLEAR]
    assert "Over since" in told.alarms[1].text
    assert _status(hasty).exit_code == 0


def test_message_with_an_old_time_has_not_waited_since_then(
    warehouse: Settings, broker: Broker, told: Told
) -> None:
    broker.send([raw(1).value], timestamp_ms=1_600_000_000_000)

    Watch(warehouse, told).once()

    assert told.what == []
    found = status(warehouse)
    assert found.freshness.is_kept
    assert found.freshness.waiting_seconds < 60
    assert max(log.oldest_waiting_seconds or 0 for log in found.logs) < 60


def test_incident_goes_on_when_the_watch_is_restarted(
    hasty: Settings, broker: Broker, told: Told
) -> None:
    broker.send([raw(1).value])
    _until(Watch(hasty, told), lambda: told.alarms)

    for _ in range(2):
        Watch(hasty, told).once()

    assert told.what == [ALARM]


def test_who_could_not_be_reached_is_told_later(
    warehouse: Settings, connection: Connection, told: Told
) -> None:
    begin(connection, Kind.CHECK, "a", "Something is wrong.")
    told.is_reachable = False
    watch = Watch(warehouse, told)
    for _ in range(2):
        watch.once()
    end(connection, Kind.CHECK, "a")
    assert told.what == []
    told.is_reachable = True

    Watch(warehouse, told).once()

    assert told.what == [("alarm", "check", "a"), ("all-clear", "check", "a")]


def test_broker_that_is_away_is_told_and_so_is_its_return(
    hasty: Settings, broker: Broker, told: Told
) -> None:
    nobody = f"127.0.0.1:{Ports.free().kafka}"
    lost = hasty.model_copy(
        update={"kafka_bootstrap": nobody, "palate_kafka_timeout": 0.5}
    )
    _until(Watch(lost, told), lambda: told.alarms)
    assert told.what == [("alarm", "watch", "kafka")]
    assert f"Kafka at {nobody} does not answer" in told.alarms[0].text

    Watch(hasty, told).once()

    assert told.what[1:] == [("all-clear", "watch", "kafka")]


def test_warehouse_that_is_away_is_told_and_so_is_its_return(
    hasty: Settings, services: Stack, connection: Connection, told: Told
) -> None:
    secrets = Secrets.load(services.var / "secrets.json")
    port = services.ports.postgres
    dsn = postgres.dsn(port, "postgres", secrets.postgres, "postgres")
    watch = Watch(hasty, told)
    with psycopg.connect(dsn, autocommit=True) as superuser:
        _let_in(superuser, connection.info.dbname, is_open=False)
        _until(watch, lambda: told.alarms)
        for _ in range(2):
            watch.once()
        assert told.what == [("alarm", "watch", "warehouse")]
        assert "PostgreSQL (the warehouse) can't be reached" in told.alarms[0].text

        _let_in(superuser, connection.info.dbname, is_open=True)
        _until(watch, lambda: len(told.alarms) > 1)

    assert told.what[1:] == [("all-clear", "watch", "warehouse")]


def _let_in(superuser: Connection, database: str, *, is_open: bool) -> None:
    superuser.execute(
        sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(
            sql.Identifier(database), sql.Literal(is_open)
        )
    )


def test_lost_offsets_are_told_until_they_are_given_up(
    warehouse: Settings, broker: Broker, told: Told
) -> None:
    broker.send([raw(n).value for n in range(5)])
    drain.run(warehouse, FOOD, caller("drain", "first"))
    broker.send([raw(n).value for n in range(5, 10)])
    broker.delete_records(before=8)
    watch = Watch(warehouse, told)
    for number in range(2):
        with pytest.raises(PositionGapError):
            drain.run(warehouse, FOOD, caller("drain", f"gap {number}"))
        watch.once()
    gap = ("gap", f"{broker.raw}[0]")
    assert told.what == [("alarm", *gap)]
    assert "offsets 5 to 7 are gone from the broker" in told.alarms[0].text

    who = caller("accept-gap")
    accept_gap(warehouse, who, broker.raw, 0, 8, "ada", "a test")
    drain.run(warehouse, FOOD, caller("drain", "after"))
    watch.once()

    assert told.what == [("alarm", *gap), ("all-clear", *gap)]


def test_watch_that_stands_still_is_a_problem(
    warehouse: Settings, connection: Connection, told: Told
) -> None:
    assert status(warehouse).problems == []  # there may be none
    Watch(warehouse, told).once()
    assert status(warehouse).problems == []

    connection.execute("UPDATE ops.watch SET looked_dt = now() - interval '61 s'")

    (problem,) = status(warehouse).problems
    assert problem.startswith("The watch has not run since ")


def test_without_a_watch_the_times_of_messages_count(
    warehouse: Settings, broker: Broker
) -> None:
    now = datetime.now(UTC).timestamp()
    broker.send([raw(1).value], timestamp_ms=int(now * 1000))
    assert status(warehouse).freshness.is_kept
    broker.send([raw(2).value], timestamp_ms=int((now - 61) * 1000), partition=1)

    assert _status(warehouse).exit_code == 18


@pytest.mark.parametrize("stamp", [-1, 1_691_820_435, 1_600_000_000_000])
def test_without_a_watch_a_time_that_nobody_can_know_is_not_told(
    warehouse: Settings, broker: Broker, stamp: int
) -> None:
    """No time; seconds for milliseconds; the time of some event of old."""
    broker.send([raw(1).value], timestamp_ms=stamp)

    found = status(warehouse)

    assert found.freshness.waiting_seconds is None
    assert found.freshness.is_kept
    assert [log.lag for log in found.logs if log.lag] == [1]
    drain.run(warehouse, FOOD, caller("drain"))
    assert (status(warehouse).freshness.waiting_seconds or 99) < 60


def _status(settings: Settings) -> Any:
    environment = {
        "DWH_DSN": settings.dwh_dsn.get_secret_value(),
        "KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "PALATE_TOPICS": json.dumps(settings.palate_topics),
        "PALATE_FRESHNESS_SECONDS": str(settings.palate_freshness_seconds),
    }
    return CliRunner().invoke(app, ["status", "--json"], env=environment)


def test_alarm_that_can_not_be_told_holds_up_no_other(
    warehouse: Settings, connection: Connection
) -> None:
    """Nor is a row locked while somebody is told."""
    for subject in ("a", "b", "c"):
        begin(connection, Kind.CHECK, subject, subject)
    told = []

    def tell(alarm: Alarm) -> str:
        if alarm.incident.subject == "a":
            raise AlarmNotSentError(alarm.title)
        with connection.transaction():
            connection.execute("SELECT FROM ops.incidents FOR UPDATE NOWAIT")
        told.append(alarm.incident.subject)
        return "somebody"

    for _ in range(2):
        with connect(warehouse) as conn, pytest.raises(AlarmNotSentError):
            alarms.send_all(conn, tell)

    assert told == ["b", "c"]
    untold, _ = alarms.undelivered(connection)
    assert untold == 1


def test_alarm_is_told_by_one_of_two_processes(
    warehouse: Settings, connection: Connection
) -> None:
    begin(connection, Kind.CHECK, "a", "a")
    told = []

    def tell(alarm: Alarm) -> str:
        told.append(alarm.title)
        with connect(warehouse) as other:
            assert alarms.send_all(other, tell) == 0
        return "somebody"

    with connect(warehouse) as conn:
        assert alarms.send_all(conn, tell) == 1

    assert told == ["Palate alarm: check a"]
