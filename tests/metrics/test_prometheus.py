"""A real Prometheus scrapes the real watch, as an operator sets both up."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from deploy.local.ports import HOST, Ports
from palate.pipelines import run_pipeline
from palate.settings import Settings
from tests.dags.connections import variables
from tests.e2e.airflow_api import until
from tests.metrics import prometheus
from tests.metrics.prometheus import REPOSITORY, RULES, Prometheus
from tests.model.history import Form
from tests.unit.model.stories import line, raw
from tests.warehouses import environment_of

Process = subprocess.Popen[bytes]

TOKEN = "a token for the test"
RULES_TEST = Path(__file__).with_name("rules_test.yaml")
DASHBOARD = REPOSITORY / "deploy" / "grafana" / "palate.json"
ORDER = raw(1, [line("d")]).value


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def asked(expression: str) -> str:
    """Return a query as Grafana asks it, for all areas."""
    return expression.replace("$area", ".*").replace("$__rate_interval", "1m")


@contextmanager
def watching(settings: Settings, folder: Path, port: int) -> Iterator[Process]:
    """Run the watch as a process of its own, with Airflow's Connections."""
    environment = {
        **os.environ,
        **environment_of(settings),
        **variables(settings),
        "AIRFLOW_HOME": str(folder),
        "PYTHONPATH": f"{REPOSITORY / 'include'}:{REPOSITORY / 'plugins'}",
        "PALATE_FRESHNESS_SECONDS": "2",
        "PALATE_METRICS_PORT": str(port),
        "PALATE_METRICS_TOKEN": TOKEN,
    }
    with (folder / "watch.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "palate_watch"],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def ports() -> Ports:
    return Ports.free()


@pytest.fixture
def watch(warehouse: Settings, tmp_path: Path, ports: Ports) -> Iterator[Process]:
    with watching(warehouse, tmp_path, ports.metrics) as process:
        yield process


@pytest.fixture
def scraped(watch: Process, tmp_path: Path, ports: Ports) -> Iterator[Prometheus]:
    """Give a Prometheus that has scraped a probe of the watch."""
    target = f"{HOST}:{ports.metrics}"
    with prometheus.scraping(tmp_path, target, ports.airflow, TOKEN) as found:
        until(found.answers, "Prometheus", seconds=60)
        until(lambda: found.query("palate_promise_kept"), "a probe", seconds=120)
        yield found


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "rules", str(RULES)],
        ["test", "rules", str(RULES_TEST)],
    ],
    ids=["check", "test"],
)
def test_rules_do_what_they_say(arguments: list[str]) -> None:
    prometheus.promtool(*arguments)


def test_message_that_is_left_waiting_is_an_alert_until_it_is_loaded(
    warehouse: Settings, producer: KafkaProducer, scraped: Prometheus
) -> None:
    topic = next(t for t, f in (warehouse.palate_topics or {}).items() if f == Form.RAW)
    producer.send(topic, ORDER, partition=1).get(10)
    producer.send(topic, b"no JSON", partition=1).get(10)

    until(lambda: "PalatePromiseBroken" in scraped.firing(), "the alert", seconds=60)
    of = f'{{topic="{topic}",partition="1"}}'
    assert list(scraped.query(f"palate_lag_messages{of}").values()) == [2]
    assert list(scraped.query("palate_promise_kept").values()) == [0]
    (waiting,) = scraped.query(f"palate_oldest_waiting_seconds{of}").values()
    assert 2 < waiting < 60

    list(run_pipeline(warehouse))
    until(lambda: "PalatePromiseBroken" not in scraped.firing(), "its end", seconds=60)

    assert list(scraped.query(f"palate_lag_messages{of}").values()) == [0]
    for stage in ("arrived", "staged", "loaded", "delivered"):
        assert list(scraped.query(f"palate_{stage}_messages_total{of}").values()) == [2]
    until(
        lambda: scraped.query(
            f'palate_refused_messages{{topic="{topic}",reason="not_json"}}'
        ),
        "the next count of refused messages",
        seconds=60,
    )
    # Each rule was judged without an error, and each query of the dashboard finds
    # what it is about: but for open incidents, and a time to clear while nothing waits.
    (group,) = scraped.get("rules")["groups"]
    assert {rule["health"] for rule in group["rules"]} == {"ok"}
    empty = {
        panel["title"]
        for panel in panels()
        for target in panel["targets"]
        if not scraped.query(asked(target["expr"]))
    }
    assert empty == {"Time to clear the lag", "Open incidents by kind"}


def test_watch_that_is_gone_is_noticed(scraped: Prometheus, watch: Process) -> None:
    (group,) = scraped.get("rules")["groups"]
    (silent,) = [one for one in group["rules"] if one["name"] == "PalateWatchSilent"]
    assert scraped.query(silent["query"]) == {}
    assert scraped.query("palate_lag_messages")

    watch.terminate()

    until(lambda: scraped.query(silent["query"]), "the alert's cause", seconds=60)
    assert scraped.query("palate_lag_messages") == {}
