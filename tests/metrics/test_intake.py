"""A real Prometheus scrapes a real intake: what it finds, what it alerts of."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.ports import HOST, Ports
from palate.settings import Settings
from tests.e2e.airflow_api import until
from tests.intake.process import Intake, running
from tests.metrics import prometheus
from tests.metrics.prometheus import REPOSITORY, Prometheus

FOLDER = REPOSITORY / "deploy" / "monitoring"
RULES = FOLDER / "rules.yaml"
RULES_TEST = Path(__file__).with_name("intake_rules_test.yaml")
DOWN = "PalateIntakeDependencyDown"


@pytest.fixture
def intake(warehouse: Settings, tmp_path: Path) -> Iterator[Intake]:
    """Run a replica that nobody loads from."""
    with running(warehouse, tmp_path, Ports.free().kafka) as found:
        yield found


@pytest.fixture
def scraped(intake: Intake, tmp_path: Path) -> Iterator[Prometheus]:
    """Give a Prometheus that has scraped the intake."""
    target = f"{HOST}:{intake.env['PALATE_INTAKE_METRICS_PORT']}"
    job = ("palate-intake", RULES)
    with prometheus.scraping(tmp_path, target, Ports.free().airflow, "", *job) as found:
        until(found.answers, "Prometheus", seconds=60)
        until(lambda: found.query("palate_build_info"), "a scrape", seconds=60)
        yield found


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FOLDER / "intake.json").read_text())[
        "panels"
    ]
    return found


def asked(expression: str) -> str:
    """Return a query as Grafana asks it, for all datasets."""
    return expression.replace("$dataset", ".*").replace("$__rate_interval", "1m")


@pytest.mark.parametrize(
    "arguments",
    [["check", "rules", str(RULES)], ["test", "rules", str(RULES_TEST)]],
    ids=["check", "test"],
)
def test_rules_do_what_they_say(arguments: list[str]) -> None:
    prometheus.promtool(*arguments)


def test_store_that_is_away_is_an_alert_until_it_is_back(
    intake: Intake, scraped: Prometheus
) -> None:
    partner = intake.partner("acme")
    good = b'{"permalink": "acme", "name": "Acme"}'
    assert partner.send(good).status_code == 202
    assert partner.send(good).status_code == 200
    assert partner.send(b"{").status_code == 422
    prometheus.promtool("check", "metrics", given=intake.metrics())

    def outcomes() -> dict[str, float]:
        found = scraped.query("palate_intake_requests_total")
        return {dict(labels)["outcome"]: value for labels, value in found.items()}

    wanted = {"accepted": 1.0, "repeated": 1.0, "not_json": 1.0}
    until(lambda: outcomes() == wanted, "what was sent", seconds=60)
    # Nobody loads: the file waits. Each query finds what it is about.
    waiting = "palate_files_waiting"
    until(lambda: {*scraped.query(waiting).values()} == {1}, waiting, seconds=60)
    until(lambda: not empty_panels(scraped), "samples for each panel", seconds=60)
    assert DOWN not in scraped.firing()

    away = intake.objects.with_name("away")
    intake.objects.rename(away)
    until(lambda: DOWN in scraped.firing(), "the alert", seconds=90)
    assert partner.send(b'{"permalink": "b", "name": "B"}').status_code == 503
    away.rename(intake.objects)
    until(lambda: DOWN not in scraped.firing(), "its end", seconds=60)

    health = {
        rule["health"]
        for group in scraped.get("rules")["groups"]
        for rule in group["rules"]
    }
    assert health == {"ok"}


def empty_panels(scraped: Prometheus) -> set[str]:
    return {
        panel["title"]
        for panel in panels()
        for target in panel["targets"]
        if not scraped.query(asked(target["expr"]))
    }
