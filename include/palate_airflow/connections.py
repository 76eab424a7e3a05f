"""Settings from Airflow Connections.

The library's environment variables give what no Connection has.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from palate.settings import Settings, load_settings

if TYPE_CHECKING:
    from airflow.sdk import Connection

log = logging.getLogger(__name__)

# The Airflow Connections with the addresses of the services.
CONNECTIONS = ("dwh", "kafka", "redis")


def task_settings() -> Settings:
    """Return the settings for a task, from the Airflow Connections."""
    found = {}
    for name in CONNECTIONS:
        try:
            found[name] = BaseHook.get_connection(name)
        except AirflowNotFoundException:
            log.debug("There is no Connection %s.", name)
    return settings(found)


async def trigger_settings() -> Settings:
    """Return the same for a trigger, whose event loop must not wait."""
    found = {}
    for name in CONNECTIONS:
        try:
            found[name] = await BaseHook.aget_connection(name)
        except AirflowNotFoundException:
            log.debug("There is no Connection %s.", name)
    return settings(found)


def settings(connections: Mapping[str, Connection]) -> Settings:
    """Return the settings in Connections; the environment has the others.

    A stage reports a missing Connection that it needs.

    :raises SettingsError: if one can't be used
    """
    values: dict[str, Any] = {}
    if "dwh" in connections:
        values["dwh_dsn"] = _dsn(connections["dwh"])
    if "kafka" in connections:
        values |= _kafka(connections["kafka"])
    if "redis" in connections:
        values["redis_url"] = _redis_url(connections["redis"])
    return load_settings(**values)


def _dsn(connection: Connection) -> str:
    from psycopg import ProgrammingError
    from psycopg.conninfo import make_conninfo

    from palate.errors import SettingsError

    try:
        return make_conninfo(
            host=connection.host,
            port=connection.port,
            user=connection.login,
            password=connection.password,
            dbname=connection.schema,
            **connection.extra_dejson,
        )
    except ProgrammingError:
        # The driver's words may contain a piece of a password.
        message = (
            "The Airflow Connection `dwh` can't be used: its extra takes libpq's "
            "parameters only, such as sslmode."
        )
        raise SettingsError(message) from None


def _kafka(connection: Connection) -> dict[str, str]:
    # The names that the provider apache-kafka passes on to librdkafka.
    extra = connection.extra_dejson
    names = {
        "security.protocol": "kafka_security_protocol",
        "sasl.mechanism": "kafka_sasl_mechanism",
        "sasl.username": "kafka_sasl_username",
        "sasl.password": "kafka_sasl_password",
        "ssl.ca.location": "kafka_ssl_ca_location",
    }
    values = {setting: extra[name] for name, setting in names.items() if name in extra}
    servers = extra.get("bootstrap.servers")
    values["kafka_bootstrap"] = (
        servers or f"{connection.host}:{connection.port or 9092}"
    )
    return values


def _redis_url(connection: Connection) -> str:
    extra = connection.extra_dejson
    scheme = "rediss" if extra.get("ssl") else "redis"
    login = ""
    if connection.password:
        name = quote(connection.login or "", safe="")
        login = f"{name}:{quote(connection.password, safe='')}@"
    host = f"{connection.host}:{connection.port or 6379}"
    url = f"{scheme}://{login}{host}/{extra.get('db', 0)}"
    authority = {name: extra[name] for name in ("ssl_ca_certs",) if name in extra}
    return f"{url}?{urlencode(authority)}" if authority else url
