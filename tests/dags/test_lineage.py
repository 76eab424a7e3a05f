"""OpenLineage events of a run, as the provider writes them into a file."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from palate.settings import Settings
from tests.dags.connections import variables

REPOSITORY = Path(__file__).resolve().parents[2]
KAFKA, DWH, REDIS = "kafka://kafka:9092", "postgres://dwh:5432", "redis://redis:6379"
ENTRIES = (DWH, "dwh.stg.dictionary_entries")
MARTS = {
    (DWH, "dwh.cdm.user_category_counters"),
    (DWH, "dwh.cdm.user_product_counters"),
}

Names = set[tuple[str, str]]

pytestmark = pytest.mark.usefixtures("metadata_database")


@pytest.fixture
def events(warehouse: Settings, tmp_path: Path) -> list[dict[str, Any]]:
    """Run orders_stream once in a process of its own; return its events."""
    file = tmp_path / "events.jsonl"
    transport = {"type": "file", "log_file_path": str(file), "append": True}
    lineage = {
        "AIRFLOW__OPENLINEAGE__DISABLED": "False",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "palate",
        "AIRFLOW__OPENLINEAGE__EXTRACTORS": "palate_lineage.AssetExtractor",
        "PYTHONPATH": str(REPOSITORY / "include"),
    }
    feeds = {
        "PALATE_PUBLISH_ORDERS_TO": "enriched-orders",
        "PALATE_PUBLISH_COUNTERS_TO": "counters",
    }
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "dags", "test", "orders_stream"],
        env={**os.environ, **variables(warehouse), **lineage, **feeds},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in file.read_text().splitlines()]


def _names(datasets: list[dict[str, str]]) -> Names:
    return {(dataset["namespace"], dataset["name"]) for dataset in datasets}


def test_each_task_tells_what_it_reads_and_writes(
    warehouse: Settings, events: list[dict[str, Any]]
) -> None:
    of_tasks = [event for event in events if "." in event["job"]["name"]]
    assert {event["job"]["namespace"] for event in events} == {"palate"}
    told: dict[str, list[tuple[Names, Names]]] = {}
    for event in of_tasks:
        task = event["job"]["name"].removeprefix("orders_stream.")
        assert event["eventType"] in ("START", "COMPLETE"), event
        both = (_names(event["inputs"]), _names(event["outputs"]))
        told.setdefault(task, []).append(both)

    topics = {(KAFKA, name) for name in warehouse.palate_topics}
    staged, orders = (DWH, "dwh.stg.order_events"), (DWH, "dwh.dds.v_order")
    tags = (DWH, "dwh.cdm.user_tags")
    expected: dict[str, tuple[Names, Names]] = {
        "drain": (topics, {staged}),
        "vault": ({staged}, {orders}),
        "dictionaries": ({(REDIS, "0")}, {ENTRIES}),
        **{
            mart[1].removeprefix("dwh.cdm."): ({orders, ENTRIES}, {mart})
            for mart in MARTS
        },
        "tags": ({*MARTS, (DWH, "dwh.cdm.tag_rules")}, {tags}),
        "publish": (
            {tags, orders, ENTRIES, *MARTS},
            {
                (REDIS, "0/tags"),
                (KAFKA, "cdm-user-tags"),
                (KAFKA, "enriched-orders"),
                (KAFKA, "counters"),
            },
        ),
        "all_loaded": (set(), set()),
    }
    assert told == {task: [both] * 2 for task, both in expected.items()}
