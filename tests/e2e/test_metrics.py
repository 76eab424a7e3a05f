"""Metrics of a running Airflow arrive at a receiver that speaks StatsD."""

import pytest
from kafka import KafkaProducer

from deploy.local.stack import Stack
from tests.e2e.airflow_api import DAG, AirflowApi, until
from tests.e2e.runs import Dwh, held, run_that_took
from tests.e2e.shop import TOPIC, Guest
from tests.e2e.statsd import Receiver

MARTS = ("user_category_counters", "user_product_counters")

pytestmark = pytest.mark.slow


def test_stages_tell_rows_refused_by_reason_and_seconds(
    stack: Stack, airflow: AirflowApi, dwh: Dwh, guest: Guest, statsd: Receiver
) -> None:
    with KafkaProducer(bootstrap_servers=stack.env()["KAFKA_BOOTSTRAP"]) as client:
        client.send(TOPIC, b"connection test").get(30)
    guest.order([guest.pizza, guest.soup])
    run_that_took(airflow, dwh, guest)

    def rows(task: str, rows: str) -> float:
        found = statsd.find(
            "airflow.palate.rows",
            dag_id=DAG,
            task_id=task,
            rows=rows,
            is_repeat="false",
        )
        assert {metric.kind for metric in found} <= {"c"}
        return sum(metric.value for metric in found)

    until(lambda: rows("drain", "messages") >= 2, "two messages of the drain")
    until(lambda: rows("vault", "order_lines") >= 2, "the order's lines in the vault")
    for task in MARTS:
        until(
            lambda task=task: rows(task, "touched_orders") >= 1, f"an order in {task}"
        )
    until(
        lambda: statsd.find("airflow.palate.refused", reason="not_json"),
        "what was refused, by reason",
    )
    for task in ("drain", "vault", *MARTS, "tags", "publish"):
        found = until(
            lambda task=task: statsd.find(
                "airflow.palate.stage_duration", dag_id=DAG, task_id=task
            ),
            f"the seconds of {task}",
        )
        assert {metric.kind for metric in found} == {"ms"}


def test_bell_tells_lag_and_age_of_what_waits(
    airflow: AirflowApi, dwh: Dwh, guest: Guest, statsd: Receiver
) -> None:
    with held(dwh, "drain"):
        guest.order([guest.pizza], partition=2)
        for name in ("airflow.palate.lag", "airflow.palate.oldest_waiting_seconds"):
            until(
                lambda name=name: [
                    metric
                    for metric in statsd.find(name, topic=TOPIC, partition="2")
                    if metric.kind == "g" and metric.value >= 1
                ],
                f"{name} of what waits",
            )
    until(lambda: guest.counted(dwh, 1), "the order in the marts")
    seen = len(statsd.metrics)

    def is_calm() -> bool:
        new = statsd.metrics[seen:]
        return any(
            metric.name == "airflow.palate.lag"
            and metric.tags == {"topic": TOPIC, "partition": "2"}
            and metric.value == 0
            for metric in new
        )

    until(is_calm, "no lag any more")
