"""What Prometheus gets of a probe: each name that the guide has, and nothing stale."""

import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from palate.errors import ServiceUnavailableError
from palate.incidents import Kind
from palate.monitoring.backlog import LogBacklog
from palate.monitoring.freshness import Freshness, Observed
from palate.monitoring.metrics import ProbeCollector
from palate.monitoring.probe import Ledger, Probe, Queues
from palate.positions.ranges import FeedPartition

GUIDE = Path(__file__).parents[3] / "docs" / "metrics.md"
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
LOG = FeedPartition("orders", 0, 1)
CALM = FeedPartition("orders", 0, 2)
AREA = Freshness("food", 60, 7.5, NOW, is_watched=True, is_kept=True)
OBSERVED = Observed(
    logs={
        "food": [
            LogBacklog(LOG, first=10, end=100, staged=90, loaded=80, in_marts=70),
            LogBacklog(CALM, first=0, end=5, staged=5, loaded=5, in_marts=5),
        ]
    },
    waiting={LOG: 7.5},
    promises=[AREA],
    unseen={"menus": ServiceUnavailableError("gone")},
)
WAITING = {"ids": 1, "evaluations": 4, "tags": 5, "orders": 0, "counters": 2}
LEDGER = Ledger(
    incidents={Kind.GAP: 2},
    batches={("food", "vault"): NOW},
    queues=Queues({("orders", "not_json"): 3}, WAITING),
)
# It stays a fresh one, however long other tests take.
FRESH = time.monotonic() + 3600
WHOLE = Probe(OBSERVED, LEDGER, at=FRESH)


def shown(probe: Probe | None) -> dict[str, float]:
    """Return the samples by name and labels, as a scrape has them."""
    registry = CollectorRegistry()
    registry.register(ProbeCollector(lambda: probe))
    text = generate_latest(registry).decode()
    return {
        sample.name + "".join(f" {key}={value}" for key, value in labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        for labels in [sorted(sample.labels.items())]
    }


def names(probe: Probe | None) -> set[str]:
    return {sample.partition(" ")[0] for sample in shown(probe)}


def test_probe_is_shown() -> None:
    found = shown(WHOLE)
    build = next(name for name in found if name.startswith("palate_build_info"))
    assert re.search(r" migration=\d{4} python=3\.", build)
    one = "area=food partition=1 topic=orders"
    other = "area=food partition=2 topic=orders"
    assert found == {
        build: 1,
        "palate_watch_last_probe_timestamp_seconds": pytest.approx(WHOLE.time),
        "palate_service_up service=warehouse": 1,
        "palate_service_up service=broker": 1,
        f"palate_lag_messages {one}": 30,
        f"palate_lag_messages {other}": 0,
        f"palate_oldest_waiting_seconds {one}": 7.5,
        f"palate_oldest_waiting_seconds {other}": 0,
        f"palate_arrived_messages_total {one}": 90,
        f"palate_arrived_messages_total {other}": 5,
        f"palate_staged_messages_total {one}": 80,
        f"palate_staged_messages_total {other}": 5,
        f"palate_loaded_messages_total {one}": 70,
        f"palate_loaded_messages_total {other}": 5,
        f"palate_delivered_messages_total {one}": 60,
        f"palate_delivered_messages_total {other}": 5,
        "palate_promise_kept area=food": 1,
        "palate_promise_target_seconds area=food": 60,
        "palate_stage_last_batch_timestamp_seconds area=food stage=vault": (
            NOW.timestamp()
        ),
        "palate_refused_messages reason=not_json topic=orders": 3,
        "palate_waiting_tags": 4,
        "palate_waiting_ids": 1,
        "palate_unpublished_items outlet=tags": 5,
        "palate_unpublished_items outlet=orders": 0,
        "palate_unpublished_items outlet=counters": 2,
        **{
            f"palate_open_incidents kind={kind}": 2 * (kind is Kind.GAP)
            for kind in Kind
        },
    }


def test_guide_has_each_metric_with_its_labels() -> None:
    rows = re.findall(
        r"^\| `(palate_\w+)` \| (\w+) \| (.*?) \|",
        GUIDE.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    kinds = {name: kind for name, kind, _ in rows}
    assert {name: set(re.findall(r"`(\w+)`", labels)) for name, _, labels in rows} == {
        sample.partition(" ")[0]: set(re.findall(r" (\w+)=", sample))
        for sample in shown(WHOLE)
    }
    assert {name for name, kind in kinds.items() if kind == "counter"} == {
        name for name in kinds if name.endswith("_total")
    }


@pytest.mark.parametrize(
    ("probe", "service", "gone"),
    [
        pytest.param(
            replace(WHOLE, observed=None),
            {"palate_service_up service=warehouse": 1}
            | {"palate_service_up service=broker": 0},
            ["palate_lag_messages", "palate_promise_kept"],
            id="no broker",
        ),
        pytest.param(
            Probe(at=FRESH),
            {"palate_service_up service=warehouse": 0},
            ["palate_lag_messages", "palate_open_incidents", "palate_waiting_tags"],
            id="no warehouse",
        ),
        pytest.param(
            replace(WHOLE, ledger=replace(LEDGER, queues=None)),
            {"palate_service_up service=warehouse": 1}
            | {"palate_service_up service=broker": 1},
            ["palate_refused_messages", "palate_waiting_tags"],
            id="counting took too long",
        ),
    ],
)
def test_what_was_not_seen_is_left_out(
    probe: Probe, service: dict[str, float], gone: list[str]
) -> None:
    found = shown(probe)
    assert {
        name: value for name, value in found.items() if "service_up" in name
    } == service
    assert names(probe).isdisjoint(gone)
    assert set(gone) <= names(WHOLE)


def test_watch_that_hangs_shows_only_when_it_last_probed() -> None:
    old = replace(WHOLE, at=time.monotonic() - 61)
    assert names(old) == {
        "palate_build_info",
        "palate_watch_last_probe_timestamp_seconds",
    }
    assert names(None) == {"palate_build_info"}


def test_name_of_a_topic_breaks_no_line() -> None:
    queues = Queues({('a"b\n{c}', "not_json"): 1}, WAITING)
    found = shown(Probe(OBSERVED, replace(LEDGER, queues=queues)))
    assert found['palate_refused_messages reason=not_json topic=a"b\n{c}'] == 1
