"""The loopback ports of a stack."""

import json
import random
import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

from deploy.local.errors import StackError

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Ports:
    """Where each part listens, on the loopback address only."""

    postgres: int = 15432
    redis: int = 16379
    kafka: int = 19092
    kafka_controller: int = 19093
    airflow: int = 18080
    kafka_secured: int = 19094
    redis_secured: int = 16380
    metrics: int = 19464
    airline: int = 15433
    airline_standby: int = 15434
    connect: int = 18083
    intake: int = 18090
    intake_metrics: int = 19465

    @classmethod
    def free(cls) -> Self:
        """Return unused ports."""
        with ExitStack() as held:
            found: list[int] = []
            # Below the ports of outgoing connections (from 32768), which could take
            # one of these before its server has started, or while it restarts.
            for port in random.sample(range(20_000, 32_000), 1_000):
                probe = held.enter_context(socket.socket())
                with suppress(OSError):
                    probe.bind((HOST, port))
                    found.append(port)
                if len(found) == len(fields(cls)):
                    return cls(*found)
        raise StackError("There are no free ports between 20000 and 32000.")

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Return the ports that a stack has saved, or None."""
        return cls(**json.loads(path.read_text())) if path.exists() else None

    @classmethod
    def from_env(cls, environment: Mapping[str, str], base: Self | None = None) -> Self:
        """Return ``base`` or the defaults, changed by variables like PALATE_REDIS_PORT.

        :raises StackError: if a variable is no port number
        """
        chosen = asdict(base or cls())
        for name in chosen:
            text = environment.get(variable(name), "")
            if not text:
                continue
            if not text.isdecimal() or not 0 < int(text) < 65536:
                raise StackError(f"{variable(name)} is {text!r}: give a port number.")
            chosen[name] = int(text)
        return cls(**chosen)

    def write(self, path: Path) -> None:
        """Save the ports, so that a later command finds this stack."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")


def variable(name: str) -> str:
    """Return the environment variable that sets the port of that name."""
    return f"PALATE_{name.upper()}_PORT"


def refuse_taken(ports: Ports, names: Iterable[str]) -> None:
    """Check that nobody listens on these ports.

    :raises StackError: if somebody does; names the port, who holds it, what to set
    """
    for name in names:
        port = getattr(ports, name)
        with socket.socket() as probe:
            # A port whose last connections linger in TIME_WAIT is free for a server.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as error:
                raise StackError(
                    f"Port {port} ({name}) can't be used: {_holder(port) or error}. "
                    f"Stop that program or choose another port: "
                    f"{variable(name)}=<port> make up"
                ) from None


def listens(port: int) -> bool:
    """Return whether a server listens on the port."""
    with socket.socket() as probe:
        # If the probe connects to itself, it must not block the server's port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.settimeout(2)
        try:
            probe.connect((HOST, port))
        except OSError:
            return False
        return not met_itself(probe)


def met_itself(client: socket.socket) -> bool:
    """Return whether a client is its own server.

    Where nobody listens, the kernel may give a client the very port that it connects
    to, if that is an ephemeral one (from 32768 on).
    """
    return bool(client.getsockname() == client.getpeername())


def _holder(port: int) -> str | None:
    """Return who listens on the port, as far as this user may see."""
    if not Path("/proc/net/tcp").exists():
        return None
    import psutil

    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return None
    for one in connections:
        if one.status == psutil.CONN_LISTEN and one.laddr.port == port and one.pid:
            return f"process {one.pid} ({psutil.Process(one.pid).name()}) holds it"
    return None
