"""Alerts and the dashboard of the intake speak of what it exports, and its guides."""

import json
import re
from typing import Any

import pytest
import yaml

from deploy.local.airflow_server import REPOSITORY
from palate.intake.metrics import REGISTRY
from tests.dashboards import anchor, assert_side_by_side

FOLDER = REPOSITORY / "deploy" / "monitoring"
GUIDE = (REPOSITORY / "docs" / "intake-metrics.md").read_text(encoding="utf-8")
OPERATIONS = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
# What rules and dashboard may name beside: recorded by the rules, or the watch's.
OTHERS = {
    "palate_files:came:1h",
    "palate_files:refused:1h",
    "palate_promise_target_seconds",
}


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FOLDER / "intake.json").read_text())[
        "panels"
    ]
    return found


def exported() -> set[str]:
    """Return the names of the metrics, as a scrape has them."""
    suffix = {"counter": "_total"}
    return {f"{one.name}{suffix.get(one.type, '')}" for one in REGISTRY.collect()}


def named(queries: list[str]) -> set[str]:
    found = {n for query in queries for n in re.findall(r"palate_[\w:]+", query)}
    return {name.removesuffix("_bucket") for name in found}


def test_guide_has_each_metric_and_each_alert() -> None:
    table = re.findall(r"^\| `(palate_\w+)` \|", GUIDE, re.MULTILINE)
    assert {*table} == exported()
    table = re.findall(r"^\| `(Palate\w+)` \|", GUIDE, re.MULTILINE)
    assert table == [one["alert"] for one in alerts()]


def test_rules_and_dashboard_name_what_is_exported() -> None:
    shown = named([t["expr"] for panel in panels() for t in panel["targets"]])
    assert shown == exported()
    assert named([one["expr"] for one in rules()]) <= exported() | OTHERS


@pytest.mark.parametrize("alert", alerts(), ids=lambda one: one["alert"])
def test_alert_has_a_page_of_its_own(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning")
    page, _, at = alert["annotations"]["runbook"].partition("#")
    assert page == "docs/operations.md"
    titles = re.findall(r"^## (.+)$", OPERATIONS, re.MULTILINE)
    (title,) = (one for one in titles if anchor(one) == at)
    _, _, text = OPERATIONS.partition(f"\n## {title}\n")
    assert f"`{alert['alert']}`" in text.partition("\n## ")[0]
    assert f"operations.md#{at}" in GUIDE


def test_panels_do_not_lie_on_each_other() -> None:
    assert_side_by_side(panels())
