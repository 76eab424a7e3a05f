"""A receiver of metrics: StatsD over UDP, tags as InfluxDB writes them."""

import socket
import threading
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Metric:
    """One line that was received, such as ``airflow.palate.lag,topic=orders:5|g``."""

    name: str
    tags: dict[str, str]
    value: float
    kind: str

    @classmethod
    def of(cls, line: str) -> Self:
        """Read a line.

        :raises ValueError: if it is none
        """
        name, value = line.rsplit(":", 1)
        name, *tags = name.split(",")
        number, kind = value.split("|")[:2]
        pairs = dict(tag.split("=", 1) for tag in tags)
        return cls(name, pairs, float(number), kind)


class Receiver:
    """Listens on a loopback port and keeps what comes."""

    def __init__(self, port: int = 0) -> None:
        """Listen.

        :param port: 0 is a free one
        """
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self.metrics: list[Metric] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def find(self, name: str, **tags: str) -> list[Metric]:
        """Return what has come of this name, with at least these tags."""
        return [
            metric
            for metric in list(self.metrics)
            if metric.name == name and tags.items() <= metric.tags.items()
        ]

    def _listen(self) -> None:
        while packet := self._socket.recv(65_536):
            self.metrics += [Metric.of(line) for line in packet.decode().splitlines()]
