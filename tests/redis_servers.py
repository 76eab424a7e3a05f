"""Redis servers of a test's own: it may harm them as it likes."""

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis

from deploy.local.ports import HOST, Ports

_SLOTS = 16_384


@contextmanager
def redis_server(
    folder: Path, *options: str, port: int | None = None
) -> Iterator["redis.Redis"]:
    """Run a server; give a client of it, which is its administrator's.

    :param options: of the server, such as ``--cluster-enabled``, ``yes``
    """
    port = port or Ports.free().redis
    program = shutil.which("redis-server")
    assert program
    fixed = ["--port", str(port), "--bind", HOST, "--dir", str(folder), "--save", ""]
    with (folder / "redis.log").open("w") as log:
        process = subprocess.Popen([program, *fixed, *options], stdout=log)
    client = redis.Redis(host=HOST, port=port)
    try:
        wait_until(lambda: _listens(port))
        yield client
    finally:
        client.close()
        process.kill()
        process.wait()


@contextmanager
def redis_cluster(folder: Path, size: int = 3) -> Iterator[list["redis.Redis"]]:
    """Run a cluster; give a client of each node."""
    with ExitStack() as held:
        nodes = []
        for number in range(size):
            home = folder / f"node-{number}"
            home.mkdir()
            options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
            nodes.append(held.enter_context(redis_server(home, *options)))
        first = nodes[0].connection_pool.connection_kwargs["port"]
        for number, node in enumerate(nodes):
            start, end = (_SLOTS * n // size for n in (number, number + 1))
            node.execute_command("CLUSTER ADDSLOTSRANGE", start, end - 1)
            node.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
            if number:
                node.execute_command("CLUSTER MEET", HOST, first)

        def is_whole() -> bool:
            states = [node.cluster("INFO") for node in nodes]
            return all(
                one["cluster_state"] == "ok" and int(one["cluster_known_nodes"]) == size
                for one in states
            )

        wait_until(is_whole)
        yield nodes


def url_of(client: "redis.Redis", user: str = "", database: int = 0) -> str:
    """Return the address of a server.

    :param user: ``name:password``
    """
    port = client.connection_pool.connection_kwargs["port"]
    return f"redis://{user + '@' if user else ''}{HOST}:{port}/{database}"


def wait_until(is_so: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for a condition.

    :raises TimeoutError: if it does not come true
    """
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
