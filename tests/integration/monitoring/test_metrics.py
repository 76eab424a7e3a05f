"""Metrics of the watch over real services: what it saw last, and nothing else."""

import urllib.request
from collections.abc import Iterator

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from psycopg import Connection, sql

from deploy.local import postgres
from deploy.local.ports import HOST, Ports
from deploy.local.secrets import Secrets
from deploy.local.stack import Stack
from palate.incidents import Kind, begin
from palate.monitoring.watch import Watch
from palate.pipelines import run_pipeline
from palate.settings import Settings
from tests.e2e.airflow_api import until
from tests.integration.broker import Broker
from tests.unit.model.stories import line, raw

ORDER = raw(1, [line("d")]).value


@pytest.fixture
def measured(warehouse: Settings) -> Settings:
    return _elsewhere(warehouse)


@pytest.fixture
def watch(measured: Settings) -> Iterator[Watch]:
    with Watch(measured, lambda _: "nobody") as found:
        yield found


def _elsewhere(settings: Settings) -> Settings:
    update = {"palate_metrics_port": Ports.free().metrics}
    return settings.model_copy(update=update)


def scrape(settings: Settings, name: str, **labels: str) -> list[float]:
    """Return the values of a metric, of the samples with at least these labels."""
    url = f"http://{HOST}:{settings.palate_metrics_port}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    return [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]


def test_probe_is_served(
    measured: Settings, broker: Broker, connection: Connection, watch: Watch
) -> None:
    assert scrape(measured, "palate_lag_messages") == []
    broker.send([ORDER, ORDER, b"no JSON"], partition=1)
    watch.once()
    of = {"area": "food", "topic": broker.raw, "partition": "1"}
    assert scrape(measured, "palate_lag_messages", **of) == [3]
    assert sum(scrape(measured, "palate_lag_messages")) == 3
    assert scrape(measured, "palate_oldest_waiting_seconds", **of)[0] > 0
    assert scrape(measured, "palate_arrived_messages_total", **of) == [3]
    assert scrape(measured, "palate_delivered_messages_total", **of) == [0]
    assert scrape(measured, "palate_promise_kept", area="food") == [1]
    assert scrape(measured, "palate_promise_target_seconds") == [60]
    assert scrape(measured, "palate_stage_last_batch_timestamp_seconds") == []

    list(run_pipeline(measured))
    begin(connection, Kind.CHECK, "a", "Something is wrong.")
    watch.once()

    assert scrape(measured, "palate_lag_messages", **of) == [0]
    assert scrape(measured, "palate_oldest_waiting_seconds", **of) == [0]
    assert scrape(measured, "palate_delivered_messages_total", **of) == [3]
    for stage in ("drain", "vault", "mart:user_product_counters"):
        (at,) = scrape(
            measured, "palate_stage_last_batch_timestamp_seconds", stage=stage
        )
        assert at > 1_700_000_000
    assert scrape(measured, "palate_open_incidents", kind="check") == [1]
    assert sum(scrape(measured, "palate_open_incidents")) == 1
    # What waits is counted less often: the next watch counts at once.
    later = _elsewhere(measured)
    with Watch(later, lambda _: "nobody") as another:
        another.once()
        found = {"topic": broker.raw, "reason": "not_json"}
        assert scrape(later, "palate_refused_messages", **found) == [1]
        assert len(scrape(later, "palate_unpublished_items")) == 3


def test_promise_is_broken_and_kept_again(measured: Settings, broker: Broker) -> None:
    hasty = measured.model_copy(update={"palate_freshness_seconds": 0.01})
    broker.send([ORDER])
    with Watch(hasty, lambda _: "nobody") as watch:

        def is_broken() -> bool:
            watch.once()
            return scrape(hasty, "palate_promise_kept") == [0]

        until(is_broken, "a message that waits for longer than is promised")
        assert scrape(hasty, "palate_open_incidents", kind="freshness") == [1]
        list(run_pipeline(hasty))
        watch.once()
        assert scrape(hasty, "palate_promise_kept") == [1]
        assert scrape(hasty, "palate_open_incidents", kind="freshness") == [0]


def test_without_the_broker_there_is_no_lag(measured: Settings) -> None:
    lost = measured.model_copy(
        update={
            "kafka_bootstrap": f"{HOST}:{Ports.free().kafka}",
            "palate_kafka_timeout": 0.5,
        }
    )
    with Watch(lost, lambda _: "nobody") as watch:
        watch.once()
        assert scrape(lost, "palate_service_up", service="broker") == [0]
        assert scrape(lost, "palate_service_up", service="warehouse") == [1]
        for name in ("palate_lag_messages", "palate_promise_kept"):
            assert scrape(lost, name) == []
        assert len(scrape(lost, "palate_open_incidents")) == len(Kind)


def test_without_the_warehouse_nothing_old_is_shown(
    measured: Settings, services: Stack, connection: Connection, watch: Watch
) -> None:
    watch.once()
    assert scrape(measured, "palate_lag_messages")
    secrets = Secrets.load(services.var / "secrets.json")
    dsn = postgres.dsn(
        services.ports.postgres, "postgres", secrets.postgres, "postgres"
    )
    name = sql.Identifier(connection.info.dbname)
    with psycopg.connect(dsn, autocommit=True) as superuser:
        superuser.execute(
            sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name)
        )
        watch.once()
        superuser.execute(
            sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name)
        )

    assert scrape(measured, "palate_service_up") == [0]
    assert scrape(measured, "palate_service_up", service="broker") == []
    for gone in ("palate_lag_messages", "palate_open_incidents", "palate_waiting_tags"):
        assert scrape(measured, gone) == []
    assert scrape(measured, "palate_watch_last_probe_timestamp_seconds")
    watch.once()
    assert scrape(measured, "palate_lag_messages")


def test_count_that_takes_too_long_is_left_out(
    measured: Settings, connection: Connection, watch: Watch
) -> None:
    with connection.transaction():
        connection.execute("LOCK TABLE ops.tags_waiting IN ACCESS EXCLUSIVE MODE")
        watch.once()

    assert scrape(measured, "palate_waiting_tags") == []
    assert scrape(measured, "palate_service_up", service="warehouse") == [1]
    assert len(scrape(measured, "palate_lag_messages")) == 4
