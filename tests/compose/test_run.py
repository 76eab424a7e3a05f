"""What stands in the file is what runs: orders go in, marts come out.

The tests are one story, in this order. PALATE_COMPOSE_ORDERS says how many orders the
one in which a worker is killed sends; 200,000 take a while.
"""

import os
import threading
from datetime import UTC, datetime, timedelta

import pytest

from tests.compose.containers import Containers, until
from tests.compose.docker_compose import UNASKED
from tests.compose.shop import Shop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

_MANY_ORDERS = int(os.environ.get("PALATE_COMPOSE_ORDERS", "10000"))
_AIRFLOW = [
    "airflow-apiserver",
    "airflow-scheduler",
    "airflow-dag-processor",
    "airflow-triggerer",
    "airflow-housekeeping",
    "watch",
    "airflow-worker",
]


def test_every_service_becomes_healthy_by_its_own_check(stack: Containers) -> None:
    for name in stack.names():
        if name not in UNASKED:
            stack.wait_until_healthy(name)
    stack.check_running()


def test_the_watch_sees_the_broker_and_the_warehouse(shop: Shop) -> None:
    until(shop.is_watched, "a look of the watch")


def test_orders_become_marts(shop: Shop) -> None:
    shop.enter_dictionaries()
    shop.send(1_000)
    shop.check()


def test_a_worker_killed_beside_a_backfill_harms_nothing(
    stack: Containers, shop: Shop
) -> None:
    stack.run("init", "python", "-c", _SIX_PARTITIONS)
    sending = threading.Thread(target=shop.send, args=(_MANY_ORDERS,))
    sending.start()
    now = datetime.now(UTC)
    with shop.airflow() as api:
        api.backfill(now - timedelta(hours=1), now)
    until(lambda: "airflow-worker-1" in shop.hosts_of_running_tasks(), "a task there")

    stack.kill("airflow-worker-1")
    stack.start("airflow-worker")  # as the engine does it

    sending.join()
    shop.check(seconds=1_200)
    assert shop.hosts_of_all_tasks() == {"airflow-worker-1", "airflow-worker-2"}
    # A backfill leaves room for live runs.
    assert shop.slots_of_tasks("backfill") == {40}
    assert shop.slots_of_tasks("asset_triggered") == {1}


def test_another_executor_takes_over(stack: Containers, shop: Shop) -> None:
    stack.stop("airflow-scheduler", "airflow-worker")
    shop.send(500)

    stack.up("airflow-light")

    shop.check()
    assert "airflow-light-1" in shop.hosts_of_all_tasks()
    stack.stop("airflow-light")


def test_new_secrets_by_tls_and_scram_lose_no_message(
    stack: Containers, shop: Shop
) -> None:
    """An upgrade goes the same way: stop Airflow, `init`, start the new image."""
    stack.stop(*_AIRFLOW[:-1])  # the scheduler and its workers have ended already
    shop.send(500)
    old = (stack.volume("secrets-airflow") / "airflow.env").read_text()
    names = (
        "palate",
        "tasks",
        "airflow",
        "redis",
        "redis_palate",
        "redis_celery",
        "redis_owner",
        "kafka",
        "admin",
        "jwt_secret",
    )
    stack.run("secrets", "--renew", *names, "fernet_key", "api_secret")
    stack.stop("redis")

    stack.up("secured", "redis", "init", *_AIRFLOW)

    new = (stack.volume("secrets-airflow") / "airflow.env").read_text()
    assert not {line.partition("=")[2] for line in old.splitlines()} & {
        line.partition("=")[2] for line in new.splitlines()
    }
    shop.check()
    until(shop.is_watched, "a look of the watch")
    for door in ("kafka:9094", "rediss://", "sslmode=verify-full"):
        assert door in new


_SIX_PARTITIONS = """
from kafka.admin import KafkaAdminClient
from deploy.local.kafka import TOPICS
KafkaAdminClient(bootstrap_servers="kafka:9092").create_partitions(
    dict.fromkeys(TOPICS, 6)
)
"""
