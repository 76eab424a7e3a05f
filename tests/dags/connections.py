"""The Airflow Connections of a warehouse, as the environment gives them."""

import json
from urllib.parse import urlsplit

import psycopg.conninfo

from palate.settings import Settings


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
            "extra": {"bootstrap.servers": settings.kafka_bootstrap},
        },
        "REDIS": {
            "conn_type": "redis",
            "host": redis.hostname,
            "port": redis.port,
            "password": redis.password,
            "extra": {"db": int(redis.path.removeprefix("/"))},
        },
    }
    return {
        **{f"AIRFLOW_CONN_{name}": json.dumps(c) for name, c in connections.items()},
        "PALATE_TOPICS": json.dumps(settings.palate_topics),
    }
