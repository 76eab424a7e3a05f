"""What Airflow Connections with TLS and a login give a stage, and what it says."""

import asyncio
import re
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from airflow.dag_processing.dagbag import DagBag
from kafka import KafkaProducer

from deploy.local.stack import Stack
from palate.clients.kafka_reader import open_reader
from palate.clients.redis_connection import open_redis
from palate.settings import KafkaProtocol, Settings
from palate_airflow import connections
from tests.dags.connections import connect

_REPOSITORY = Path(__file__).resolve().parents[2]
FILE = _REPOSITORY / "dags" / "orders_stream.py"
EXAMPLE = _REPOSITORY / "deploy" / "kubernetes" / "secrets.example.yaml"

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def secured(
    warehouse: Settings, services: Stack, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    values = {name.lower(): value for name, value in services.secured_env().items()}
    settings = Settings.model_validate({**warehouse.model_dump(), **values})
    connect(monkeypatch, settings)
    return settings


def test_connections_give_login_and_authority_to_tasks_and_triggers(
    secured: Settings,
) -> None:
    found = connections.task_settings()
    assert found == asyncio.run(connections.trigger_settings())
    names = [name for name in Settings.model_fields if name.startswith("kafka")]
    for name in names:
        assert getattr(found, name) == getattr(secured, name)
    with open_reader(found) as reader, open_redis(found, "a test", "") as client:
        assert reader.state(next(iter(secured.palate_topics))).topic_id
        assert client.ping()


def test_connections_of_the_kubernetes_example_are_encrypted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    objects = yaml.safe_load_all(EXAMPLE.read_text())
    secrets = {one["metadata"]["name"]: one["stringData"] for one in objects}
    for name, text in secrets["palate-connections"].items():
        filled = re.sub("<([^>]*)>", r"\1", text)
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", filled)
    settings = connections.task_settings()
    (authority,) = secrets["palate-authority"]
    path = f"/etc/palate/authority/{authority}"
    assert settings.kafka_security_protocol is KafkaProtocol.SASL_SSL
    assert settings.kafka_sasl_password.get_secret_value() == "password"
    assert settings.kafka_ssl_ca_location == Path(path)
    redis_url = settings.redis_url.get_secret_value()
    assert redis_url.startswith("rediss://palate:password@redis.example:6380/0?")
    assert redis_url.endswith(f"ssl_ca_certs={quote(path, safe='')}")
    dsn = settings.dwh_dsn.get_secret_value()
    assert "sslmode=verify-full" in dsn
    assert f"sslrootcert={path}" in dsn


@pytest.mark.usefixtures("metadata_database")
def test_refused_login_is_a_sentence_in_the_tasks_log_and_no_secret(
    secured: Settings,
    services: Stack,
    producer: KafkaProducer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    producer.send(next(iter(secured.palate_topics)), b"connection test").get(10)
    wrong = {"kafka_sasl_password": "an-utterly-wrong-one"}
    changed = Settings.model_validate({**secured.model_dump(), **wrong})
    connect(monkeypatch, changed)
    monkeypatch.setenv("PALATE_KAFKA_TIMEOUT", "2")

    run = DagBag(str(FILE)).dags["orders_stream"].test()

    assert run.state == "failed"
    assert "refuses the login of user palate by SCRAM-SHA-512" in caplog.text
    assert not [record for record in caplog.records if record.exc_info]
    printed = capfd.readouterr()
    told = caplog.text + printed.out + printed.err
    for secret in (
        "an-utterly-wrong-one",
        services.secured_env()["KAFKA_SASL_PASSWORD"],
        services.secured_env()["REDIS_URL"].split("@")[0].split(":")[-1],
    ):
        assert secret not in told
