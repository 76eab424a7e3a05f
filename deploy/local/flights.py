"""The source of the area flights in a stack: the airline and its connector."""

from collections.abc import Callable
from pathlib import Path

from deploy.flights import connector
from deploy.local import airline, connect, kafka, postgres
from deploy.local.ports import HOST, Ports
from deploy.local.secrets import Secrets

# In the order in which they start: each waits for the one before.
PARTS = (airline.PRIMARY, airline.STANDBY, connect.NAME)
# Beside the warehouse, the database of the mart's copy, with its owner.
DATABASES = {"mart": "mart"}


def env(ports: Ports, secrets: Secrets) -> dict[str, str]:
    """Return what the area needs: addresses with their logins."""
    return {
        "FLIGHTS_STANDBY_DSN": airline.reader(ports, secrets),
        "MART_DSN": postgres.dsn(ports.postgres, "mart", secrets.mart, "mart"),
        "FLIGHTS_PRIMARY_DSN": airline.monitor(ports, secrets),
        "FLIGHTS_CONNECT_URL": connect.url(ports),
    }


def simulator_env(ports: Ports, secrets: Secrets) -> dict[str, str]:
    """Return the address of the airline's application, for whoever plays it."""
    return {"FLIGHTS_AIRLINE_DSN": airline.application(ports, secrets)}


def checks(ports: Ports, secrets: Secrets) -> dict[str, Callable[[], bool]]:
    """Return what tells whether each part works."""
    primary = airline.superuser(ports.airline, secrets)
    standby = airline.reader(ports, secrets)
    return {
        airline.PRIMARY: lambda: postgres.answers(primary),
        airline.STANDBY: lambda: postgres.answers(standby),
        connect.NAME: lambda: connect.answers(ports),
    }


def fetch(report: Callable[[str], None]) -> None:
    """Download what isn't there yet.

    :param report: gets a line if there is something to download
    :raises StackError: if Maven is missing or fails, or a jar is not the known one
    """
    connect.JARS.fetch(report)


def prepare(var: Path, ports: Ports, secrets: Secrets) -> None:
    """Write what can be written before anything runs.

    :raises StackError: if the primary can't be made
    """
    airline.prepare_primary(var, ports, secrets)
    connect.prepare(var, ports, secrets)


def prepare_part(part: str, var: Path, ports: Ports, secrets: Secrets) -> None:
    """Do what a part needs just before its start; those before it answer.

    :raises StackError: if the primary can't be copied
    """
    if part == airline.STANDBY:
        airline.fill_primary(ports, secrets)
        airline.prepare_standby(var, ports, secrets)
    elif part == connect.NAME:
        kafka.make_topics(connector.topics(), bootstrap_servers=f"{HOST}:{ports.kafka}")
