"""The Airflow Connections of a warehouse, as the environment gives them."""

import json
import sys
from urllib.parse import parse_qsl, urlsplit

import psycopg.conninfo
import pytest

import palate_airflow
from palate.settings import Settings


def connect(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Let Airflow use this warehouse, its services and topics until the test's end."""
    for name, value in variables(settings).items():
        monkeypatch.setenv(name, value)
    forget_settings()


def forget_settings() -> None:
    """Let the next DAG file read the settings anew: another test's would be known."""
    for name in ("assets", "dag_factory"):
        sys.modules.pop(f"palate_airflow.{name}", None)
        vars(palate_airflow).pop(name, None)


def variables(settings: Settings) -> dict[str, str]:
    """Return an ``AIRFLOW_CONN_...`` for each service, and the topics."""
    dwh = psycopg.conninfo.conninfo_to_dict(settings.dwh_dsn.get_secret_value())
    redis = urlsplit(settings.redis_url.get_secret_value())
    connections = {
        "DWH": {
            "conn_type": "postgres",
            "host": dwh["host"],
            "port": int(dwh["port"]),
            "login": dwh["user"],
            "password": dwh["password"],
            "schema": dwh["dbname"],
        },
        "KAFKA": {
            "conn_type": "kafka",
            "extra": _kafka(settings),
        },
        "REDIS": {
            "conn_type": "redis",
            "host": redis.hostname,
            "port": redis.port,
            "password": redis.password,
            "extra": {
                "db": int(redis.path.removeprefix("/")),
                "ssl": redis.scheme == "rediss",
                **dict(parse_qsl(redis.query)),
            },
        },
    }
    return {
        **{f"AIRFLOW_CONN_{name}": json.dumps(c) for name, c in connections.items()},
        "PALATE_TOPICS": json.dumps(settings.palate_topics),
    }


def _kafka(settings: Settings) -> dict[str, str]:
    extra = {"bootstrap.servers": settings.kafka_bootstrap}
    if settings.kafka_security_protocol.has_login:
        extra |= {
            "security.protocol": settings.kafka_security_protocol.value,
            "sasl.mechanism": settings.kafka_sasl_mechanism.value,
            "sasl.username": settings.kafka_sasl_username,
            "sasl.password": settings.kafka_sasl_password.get_secret_value(),
            "ssl.ca.location": str(settings.kafka_ssl_ca_location),
        }
    return extra
