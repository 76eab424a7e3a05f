"""Kafka: one KRaft node from Maven jars."""

import base64
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

from deploy.local.certificates import Authority
from deploy.local.errors import StackError
from deploy.local.jars import Jars, program
from deploy.local.ports import Ports, listens
from deploy.local.secrets import Secrets, write_private
from deploy.local.settings_files import render

HERE = Path(__file__).parent / "kafka"
JARS = Jars("Kafka", HERE)
USER = "palate"
# The broker itself, at its own listeners; it may do anything.
BROKER = "broker"
TOPICS = {"order-service_orders": 3, "stg-service-orders": 3}


def command(var: Path) -> list[str]:
    """Return the command that runs the broker in the foreground."""
    return [
        program("java"),
        "-Xms128m",
        "-Xmx512m",
        f"-Dlog4j2.configurationFile={HERE / 'log4j2.xml'}",
        "-cp",
        f"{JARS.folder}/*",
        "kafka.Kafka",
        str(_properties(var)),
    ]


def prepare(var: Path, ports: Ports, authority: Authority, secrets: Secrets) -> None:
    """Write the settings, and format the data folder once.

    :param authority: of the certificate at the broker's secured listener
    :param secrets: with the password of ``palate``, who is created with the data folder
    :raises StackError: if formatting fails
    """
    _properties(var).parent.mkdir(parents=True, exist_ok=True)
    folder = var / "kafka" / "data"
    write_private(
        _login(var), broker_login(secrets.kafka_broker, authority.certificate)
    )
    _properties(var).write_text(
        render(
            "server.properties",
            port=ports.kafka,
            secured_port=ports.kafka_secured,
            controller_port=ports.kafka_controller,
            certificate=authority.server,
            user=USER,
            broker=BROKER,
            login=_login(var),
            folder=folder,
        )
    )
    if (folder / "meta.properties").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    # Not among the arguments, which everybody sees in `ps`.
    login = folder.parent / "login"
    scram = f"SCRAM-SHA-512=[name={USER},password={secrets.kafka}]"
    write_private(login, f"--add-scram={scram}")
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    done = subprocess.run(
        [
            program("java"),
            "-XX:TieredStopAtLevel=1",
            "-cp",
            f"{JARS.folder}/*",
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={cluster_id}",
            f"--config={_properties(var)}",
            f"@{login}",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    login.unlink()
    if done.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise StackError(f"Kafka's storage can't be formatted: {done.stdout.strip()}")


def broker_login(password: str, authority: Path) -> str:
    """Return the text of the file with the broker's login.

    :param authority: where the broker finds its certificate
    """
    return render(
        "broker.properties", user=BROKER, password=password, authority=authority
    )


def make_topics(topics: dict[str, int], **options: Any) -> None:
    """Create the missing topics.

    :param topics: with their numbers of partitions
    :param options: of kafka-python: the broker's address, and a login
    """
    from kafka.admin import KafkaAdminClient

    admin = KafkaAdminClient(**options)
    try:
        there = set(admin.list_topics())
        missing = {
            name: {"num_partitions": partitions, "replication_factor": 1}
            for name, partitions in topics.items()
            if name not in there
        }
        if missing:
            admin.create_topics(missing, wait_for_metadata=True)
    finally:
        admin.close()


def answers(bootstrap: str) -> bool:
    """Return whether the broker answers a metadata request."""
    from kafka.admin import KafkaAdminClient
    from kafka.errors import KafkaError

    # The client would keep trying for seconds while nobody listens.
    if not listens(int(bootstrap.rsplit(":", 1)[1])):
        return False
    try:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=2000)
    except KafkaError:
        return False
    try:
        return bool(admin.describe_cluster()["brokers"])
    except KafkaError:
        return False
    finally:
        admin.close()


def _properties(var: Path) -> Path:
    return var / "kafka" / "server.properties"


def _login(var: Path) -> Path:
    return var / "kafka" / "broker.properties"
