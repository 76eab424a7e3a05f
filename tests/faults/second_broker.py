"""A second broker, which joins the cluster of a stack and may be stopped."""

import base64
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from deploy.local import kafka
from deploy.local.ports import HOST, Ports
from deploy.local.stack import Stack
from tests.faults.harm import wait_for

NODE = 2
_OWN = ("process.roles", "node.id", "listeners", "advertised.listeners", "log.dirs")


class SecondBroker:
    """A broker without a controller of its own."""

    def __init__(self, stack: Stack, var: Path) -> None:
        """Write its settings and an empty data folder; nothing is started.

        :param var: its state
        """
        self._bootstrap = stack.env()["KAFKA_BOOTSTRAP"]
        self._var = var
        self._process: subprocess.Popen[bytes] | None = None
        first = stack.var / "kafka"
        data = var / "kafka" / "data"
        data.mkdir(parents=True)
        address = f"PLAINTEXT://{HOST}:{Ports.free().kafka}"
        common = [
            line
            for line in (first / "server.properties").read_text().splitlines()
            if not line.startswith(
                (*(f"{name}=" for name in _OWN), "listener.name.sasl_ssl.")
            )
        ]
        own = ("broker", NODE, address, address, data)
        lines = [f"{name}={value}" for name, value in zip(_OWN, own, strict=True)]
        text = "\n".join([*common, *lines])
        (var / "kafka" / "server.properties").write_text(text)
        known = (first / "data" / "meta.properties").read_text().splitlines()
        (cluster,) = (line for line in known if line.startswith("cluster.id="))
        folder_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        (data / "meta.properties").write_text(
            f"version=1\nnode.id={NODE}\n{cluster}\ndirectory.id={folder_id}\n"
        )

    def start(self) -> None:
        """Start it, and wait until the cluster has it."""
        with (self._var / "log").open("a") as output:
            self._process = subprocess.Popen(
                kafka.command(self._var), stdout=output, stderr=output
            )
        wait_for(lambda: self._is_there() is True, 120)

    def stop(self) -> None:
        """End it as a shutdown does, and wait until the cluster has noticed."""
        self.end()
        wait_for(lambda: self._is_there() is False, 60)

    def end(self) -> None:
        """End it, if it runs."""
        if self._process and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(60)

    def led_by_it(self, topic: str) -> list[int]:
        """Return the partitions of a topic that this broker leads."""
        (found,) = self._ask(lambda admin: admin.describe_topics([topic]))
        return [
            one["partition_index"]
            for one in found["partitions"]
            if one["leader_id"] == NODE
        ]

    def _is_there(self) -> bool | None:
        """Tell whether the cluster has it; None if nobody answers right now."""
        try:
            found = self._ask(lambda admin: admin.describe_cluster())
        except KafkaError:
            return None
        return any(
            one["broker_id"] == NODE and not one["is_fenced"]
            for one in found["brokers"]
        )

    def _ask(self, question: Callable[[KafkaAdminClient], Any]) -> Any:
        admin = KafkaAdminClient(bootstrap_servers=self._bootstrap)
        try:
            return question(admin)
        finally:
            admin.close()


@contextmanager
def second_broker(stack: Stack, var: Path) -> Iterator[SecondBroker]:
    """Run a second broker beside that of a stack."""
    broker = SecondBroker(stack, var)
    # The topic of all transactions is made for the first: it must outlive this broker.
    producer = KafkaProducer(
        bootstrap_servers=stack.env()["KAFKA_BOOTSTRAP"],
        transactional_id=f"before-{uuid.uuid4()}",
    )
    producer.init_transactions()
    producer.close()
    try:
        broker.start()
        yield broker
    finally:
        broker.end()
