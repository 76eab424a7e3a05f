"""The stack of docker-compose.airflow.yaml, running."""

import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.containers import Containers, containers
from tests.compose.docker_compose import PROFILES, configure
from tests.compose.shop import Shop


@pytest.fixture(scope="session")
def _alone() -> None:
    """See that this process has a loopback network of its own."""
    names = [name for _, name in socket.if_nameindex()]
    if names != ["lo"]:
        pytest.fail(
            f"These tests take ports as they are: `make test-compose` ({names})"
        )
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


@pytest.fixture(scope="session")
def stack(_alone: None) -> Iterator[Containers]:
    """Run every service that starts without a profile; those of profiles can be run."""
    with (
        tempfile.TemporaryDirectory(prefix="palate-") as folder,
        containers(configure(*PROFILES), Path(folder)) as found,
    ):
        found.up(*configure()["services"])
        yield found


@pytest.fixture
def shop(stack: Containers) -> Shop:
    """Open the running stack's doors."""
    return Shop(stack)
