"""The tasks after the vault, in every DAG that loads it."""

from __future__ import annotations

from typing import Any

from airflow.sdk import task

from palate_airflow import assets
from palate_airflow.tasks import run_stage


def marts_and_tags(trigger_rule: str = "all_success") -> tuple[list[Any], list[Any]]:
    """Create a task for each mart, then tags and publish; return the marts', and all.

    :param trigger_rule: of the marts
    """

    @task(inlets=assets.COUNTED, trigger_rule=trigger_rule)
    def mart(name: str) -> dict[str, Any]:
        """Count the orders that changed, and only those."""
        return run_stage("marts.stage", name=name)

    @task(inlets=[*assets.marts().values(), assets.TAG_RULES], outlets=[assets.TAGS])
    def tags() -> dict[str, Any]:
        """Add and remove the tags that changed counters and rules call for."""
        return run_stage("tags.stage")

    # The next run sends it: more retries would only delay the end of this one.
    @task(inlets=assets.PUBLISHED_FROM, outlets=assets.PUBLISHED, retries=1)
    def publish() -> dict[str, Any]:
        """Send changes to the app and other consumers; what can't be sent waits."""
        return run_stage("publish.stage")

    counted = [
        mart.override(task_id=name, outlets=[asset])(name)
        for name, asset in assets.marts().items()
    ]
    tagged, published = tags(), publish()
    counted >> tagged >> published
    return counted, [tagged, published]
