"""What stands in the file is what runs: orders go in, marts come out.

The tests are one story, in this order. PALATE_COMPOSE_ORDERS says how many orders the
one in which a worker is killed sends; 200,000 take a while.
"""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest

from deploy.container import intake
from deploy.local.kafka import TOPICS
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

# Where the proxy listens: in these tests no engine publishes another port.
_INTAKE = 8090
_CA = "/opt/airflow/secrets/airflow/ca.pem"
_LOGIN = ("--bootstrap-server", "kafka:9094")
_LOGIN += ("--command-config", "/run/palate/broker.properties")
_CONTROLLER = ("--bootstrap-controller", "localhost:9093", "--command-config")


def test_every_service_becomes_healthy_by_its_own_check(stack: Containers) -> None:
    for name in stack.names():
        if name not in UNASKED:
            stack.wait_until_healthy(name)
    stack.check_running()


def test_the_watch_sees_the_broker_and_the_warehouse(shop: Shop) -> None:
    begun = datetime.now(UTC)
    until(lambda: shop.has_looked(begun), "a look of the watch")


def test_orders_become_marts(shop: Shop) -> None:
    shop.enter_dictionaries()
    shop.send(1_000)
    shop.check()


def test_who_comes_to_kafka_without_a_login_may_neither_delete_nor_administer(
    shop: Shop,
) -> None:
    found = shop.visit("kafka:9092", "PLAINTEXT")
    assert {*TOPICS} <= {*found.pop("sees")}
    assert _done(found) == {
        "makes a topic",
        "writes",
        "writes in a transaction",
        "reads",
        "reads in a group",
    }
    assert _refused(found) == found.keys() - _done(found)


def test_a_worker_killed_beside_a_backfill_harms_nothing(
    stack: Containers, shop: Shop
) -> None:
    for topic in TOPICS:
        shop.kafka(
            "kafka-topics.sh",
            *_LOGIN,
            *("--alter", "--topic", topic, "--partitions", "6"),
        )
    with ThreadPoolExecutor() as pool:
        sending = pool.submit(shop.send, _MANY_ORDERS)
        now = datetime.now(UTC)
        with shop.airflow() as api:
            api.backfill(now - timedelta(hours=1), now)
        until(
            lambda: "airflow-worker-1" in shop.hosts_of_running_tasks(), "a task there"
        )

        stack.kill("airflow-worker-1")
        stack.start("airflow-worker")  # as the engine does it

        sending.result()
    shop.check()
    workers = {"airflow-worker-1", "airflow-worker-2"}
    # A task that is done again forgets where it ran before.
    until(lambda: shop.hosts_of_all_tasks() == workers, "tasks on both workers")
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
    old_login = _password_of_the_broker(stack)
    names = (
        "palate",
        "tasks",
        "airflow",
        "redis",
        "redis_palate",
        "redis_celery",
        "redis_owner",
        "kafka",
        "kafka_broker",
        "metrics",
        "admin",
        "jwt_secret",
        "airline_reader",
        "airline_monitor",
        "intake",
        "mart",
    )
    stack.run("secrets", "--renew", *names, "fernet_key", "api_secret")
    stack.stop("redis", "kafka")
    begun = datetime.now(UTC)

    stack.up("secured", "redis", "kafka", "init", *_AIRFLOW)

    new = (stack.volume("secrets-airflow") / "airflow.env").read_text()
    same = {*old.splitlines()} & {*new.splitlines()}
    assert same == {  # they have no login
        "FLIGHTS_CONNECT_URL=http://connect:8083",
        f"PALATE_INTAKE_STORE={intake.STORE}",
    }
    shop.check()
    until(lambda: shop.has_looked(begun), "a look of the watch")
    assert _seen(shop, "PLAIN", "broker", old_login) is None
    new_login = _password_of_the_broker(stack)
    assert {*TOPICS} <= {*(_seen(shop, "PLAIN", "broker", new_login) or ())}
    for door in ("kafka:9094", "rediss://", "sslmode=verify-full"):
        assert door in new


def test_kafka_lets_nobody_in_without_a_login_when_all_is_secured(shop: Shop) -> None:
    found = shop.visit("kafka:9092", "PLAINTEXT")
    assert found.pop("sees") == []
    assert _refused(found) == found.keys()

    nothing = {"sees": None}
    assert shop.visit("kafka:9094", "PLAINTEXT") == nothing
    assert shop.visit("kafka:9094", "SSL", ssl_ca_location=_CA) == nothing


def test_controller_of_kafka_takes_the_brokers_login_only(
    stack: Containers, shop: Shop
) -> None:
    folder = stack.volume("secrets-kafka")
    login = (folder / "broker.properties").read_text()
    (folder / "login").write_text(login.replace("SASL_SSL", "SASL_PLAINTEXT"))
    (folder / "none").write_text(
        "request.timeout.ms=5000\ndefault.api.timeout.ms=10000\n"
    )

    add = ("--add", "--allow-principal", "User:ANONYMOUS", "--cluster")
    for words in (("--list",), add):
        said = shop.kafka(
            "kafka-acls.sh", *_CONTROLLER, "/run/palate/none", *words, codes=(1,)
        )
        assert "Timed out waiting for a node" in said
    rights = shop.kafka("kafka-acls.sh", *_CONTROLLER, "/run/palate/login", "--list")
    assert "User:palate" in rights
    assert "ANONYMOUS" not in rights


def test_an_order_service_gets_a_login_of_its_own(shop: Shop) -> None:
    login = ("--entity-type", "users", "--entity-name", "shop")
    scram = "SCRAM-SHA-512=[password=secret]"
    shop.kafka("kafka-configs.sh", *_LOGIN, "--alter", *login, "--add-config", scram)
    topic = "order-service_orders"
    rights = ("--allow-principal", "User:shop", "--producer", "--topic", topic)
    shop.kafka("kafka-acls.sh", *_LOGIN, "--add", *rights)

    assert _seen(shop, "SCRAM-SHA-512", "shop", "secret") == [topic]


def test_airline_is_copied_and_captured(stack: Containers, shop: Shop) -> None:
    """By TLS and SCRAM at Kafka, since Connect has a login there by now."""
    stack.up("secured", "airline-standby", "connect", "airline-simulator")
    for name in ("airline", "airline-standby", "connect"):
        stack.wait_until_healthy(name)
    topic = "flights.bookings.tickets"

    def captured() -> int:
        said = shop.kafka(
            "kafka-get-offsets.sh", *_LOGIN, "--topic", topic, "--time", "latest"
        )
        return int(said.strip().rpartition(":")[2])

    until(lambda: captured() > 0, "tickets in their topic")
    stack.stop("airline-simulator")
    login = (stack.volume("secrets-airflow") / "airflow.env").read_text()
    (reader,) = re.findall("^FLIGHTS_STANDBY_DSN=(.*)$", login, re.MULTILINE)
    with psycopg.connect(reader.replace("@airline-standby:", "@127.0.0.1:")) as conn:
        row = conn.execute(
            "SELECT pg_is_in_recovery(), count(*) > 0 FROM bookings.tickets"
        ).fetchone()
    assert row == (True, True)
    assert (
        "SCRAM" in (stack.volume("secrets-connect") / "worker.properties").read_text()
    )
    stack.stop("connect", "airline-standby", "airline")


def test_files_come_by_one_door_of_two_replicas(stack: Containers, shop: Shop) -> None:
    stack.up("secured", "intake-proxy")
    stack.wait_until_healthy("intake-proxy")
    token = shop.palate("intake", "tokens", "add", "acme", "--dataset", "companies")
    login = {"Authorization": f"Bearer {token.strip()}"}

    def send(name: str) -> httpx.Response:
        company = {"permalink": name, "name": name}
        url = f"http://127.0.0.1:{_INTAKE}/import/companies"
        return httpx.post(url, json=company, headers=login, timeout=60)

    assert send("initech").status_code == 202
    assert list(stack.volume("files").glob("*/acme/files/*.json"))
    stack.kill("intake-1-1")
    # At once, whether the proxy knows it already or not.
    assert send("hooli").status_code == 202
    assert send("initech").json()["repeated"] is True

    def are_sent() -> bool:
        with shop.dwh() as conn:
            query = "SELECT count(*) FROM ops.event_outbox WHERE sent_dt IS NOT NULL"
            return conn.execute(query).fetchone() == (2,)

    until(are_sent, "events, by whichever replica lives")
    stack.kill("intake-2-1")
    refused = send("umbrella")
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json()["instance"] == refused.headers["X-Request-Id"]
    stack.stop("intake-proxy")


def _done(found: dict[str, str]) -> set[str]:
    return {deed for deed, outcome in found.items() if outcome == "done"}


def _refused(found: dict[str, str]) -> set[str]:
    refusal = "_AUTHORIZATION_FAILED"
    return {deed for deed, outcome in found.items() if outcome.endswith(refusal)}


def _password_of_the_broker(stack: Containers) -> str:
    text = (stack.volume("secrets-kafka") / "broker.properties").read_text()
    (password,) = re.findall(r' password="(\w+)"', text)
    return str(password)


def _seen(shop: Shop, mechanism: str, user: str, password: str) -> list[str] | None:
    """Return what topics a user sees, None if the login is refused."""
    return shop.visit(
        "kafka:9094",
        "SASL_SSL",
        ssl_ca_location=_CA,
        sasl_mechanism=mechanism,
        sasl_username=user,
        sasl_password=password,
    )["sees"]
