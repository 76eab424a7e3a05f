"""Kafka Connect with Debezium, from Maven jars: one process, one connector."""

import json
import urllib.request
from http.client import HTTPException
from pathlib import Path

from deploy.flights import connector, source
from deploy.local.jars import Jars, program
from deploy.local.ports import HOST, Ports, listens
from deploy.local.secrets import Secrets, write_private
from deploy.local.settings_files import render

HERE = Path(__file__).parent / "connect"
JARS = Jars("Connect", HERE)
NAME = "connect"


def url(ports: Ports) -> str:
    """Return the address of its REST API."""
    return f"http://{HOST}:{ports.connect}"


def command(var: Path) -> list[str]:
    """Return the command that runs it in the foreground.

    The connector is given by its file, since standalone mode forgets at its end what
    was given by REST.
    """
    return [
        program("java"),
        "-Xms32m",
        "-Xmx192m",
        # A process that mostly waits: the small collector, and the quick compiler.
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:+ExitOnOutOfMemoryError",
        "-Duser.timezone=UTC",
        f"-Dlog4j2.configurationFile={HERE / 'log4j2.xml'}",
        "-cp",
        f"{JARS.folder}/*",
        "org.apache.kafka.connect.cli.ConnectStandalone",
        str(_folder(var) / "worker.properties"),
        str(_folder(var) / "connector.json"),
    ]


def prepare(var: Path, ports: Ports, secrets: Secrets) -> None:
    """Write the settings; offsets that are there stay."""
    folder = _folder(var)
    folder.mkdir(exist_ok=True)
    login = folder / "login.properties"
    write_private(login, login_file(secrets))
    worker = render(
        "connect.properties",
        bootstrap=f"{HOST}:{ports.kafka}",
        listener=url(ports),
        offsets=offsets(var),
        login=login,
        login_at_kafka={},
        plugins="",
    )
    write_private(folder / "worker.properties", worker)
    settings = connector.settings(HOST, ports.airline, login)
    write_private(folder / "connector.json", json.dumps(settings, indent=1) + "\n")


def login_file(secrets: Secrets) -> str:
    """Return the text of the file with the connector's login."""
    return f"user={source.CONNECTOR}\npassword={secrets.airline_connector}\n"


def offsets(var: Path) -> Path:
    """Return the file that says how far the connector is."""
    return _folder(var) / "offsets"


def answers(ports: Ports) -> bool:
    """Return whether the connector and its task run."""
    if not listens(ports.connect):
        return False
    try:
        with urllib.request.urlopen(
            f"{url(ports)}/connectors/{connector.NAME}/status", timeout=5
        ) as response:
            found = json.load(response)
    except (OSError, ValueError, HTTPException):
        return False
    states = [one["state"] for one in (found["connector"], *found["tasks"])]
    return states == ["RUNNING", "RUNNING"]


def _folder(var: Path) -> Path:
    return var / NAME
