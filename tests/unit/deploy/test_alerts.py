"""Alerts and the dashboard speak of what there is: metrics, headings, the guide."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dashboards import anchors, assert_side_by_side

REPOSITORY = Path(__file__).parents[3]
GUIDE = (REPOSITORY / "docs" / "metrics.md").read_text(encoding="utf-8")
RULES = REPOSITORY / "deploy" / "prometheus" / "rules.yaml"
DASHBOARD = REPOSITORY / "deploy" / "grafana" / "palate.json"


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def test_guide_has_each_alert() -> None:
    table = re.findall(r"^\| `(Palate\w+)` \|", GUIDE, re.MULTILINE)
    assert table == [one["alert"] for one in alerts()]


@pytest.mark.parametrize("alert", alerts(), ids=lambda one: one["alert"])
def test_alert_says_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"].keys() == {"summary", "runbook"}
    page, _, anchor = alert["annotations"]["runbook"].partition("#")
    assert anchor in anchors(REPOSITORY / page)


def test_queries_name_metrics_that_there_are() -> None:
    metrics = set(re.findall(r"^\| `(palate_\w+)` \|", GUIDE, re.MULTILINE))
    queries = [one["expr"] for one in alerts()]
    queries += [target["expr"] for panel in panels() for target in panel["targets"]]
    used = {name for query in queries for name in re.findall(r"palate_\w+", query)}
    assert used <= metrics
    shown = " ".join(target["expr"] for one in panels() for target in one["targets"])
    assert {name for name in metrics if name not in shown} == set()


def test_panels_do_not_lie_on_each_other() -> None:
    assert_side_by_side(panels())
