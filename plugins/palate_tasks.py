"""The tasks that follow the vault, in every DAG that loads it."""

from __future__ import annotations

from typing import Any

from airflow.sdk import task

import palate_assets as assets
from palate_airflow import run_stage


def marts_and_tags(trigger_rule: str = "all_success") -> tuple[list[Any], Any]:
    """Make a task for each mart, and that of the tags behind them; return both.

    :param trigger_rule: of the marts
    """

    @task(inlets=assets.COUNTED, trigger_rule=trigger_rule)
    def mart(name: str) -> dict[str, Any]:
        """Count the orders that changed, and only those."""
        return run_stage("marts", name=name)

    @task(inlets=[*assets.MARTS.values(), assets.TAG_RULES], outlets=[assets.TAGS])
    def tags() -> dict[str, Any]:
        """Give and take the tags that changed counters and changed rules ask for."""
        return run_stage("tags")

    counted = [
        mart.override(task_id=name, outlets=[asset])(name)
        for name, asset in assets.MARTS.items()
    ]
    tagged = tags()
    counted >> tagged
    return counted, tagged
