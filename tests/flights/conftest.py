"""Fixtures: one stack with the source of the area flights, for the session."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.local.ports import Ports
from deploy.local.stack import Stack
from tests.flights.airline import Source


@pytest.fixture(scope="session")
def services() -> Iterator[Stack]:
    """Run the services with the airline and its connector, on free ports.

    ``PALATE_TEST_VAR`` keeps them, in a folder beside that of other tests.
    """
    with ExitStack() as last:
        kept = os.environ.get("PALATE_TEST_VAR")
        var = Path(f"{kept}-flights" if kept else tempfile.mkdtemp(prefix="palate-"))
        var.mkdir(parents=True, exist_ok=True)
        var.chmod(0o755)
        ports = Ports.read(var / "ports.json") or Ports.free()
        stack = Stack(var, ports, areas="food,flights")
        if not kept:
            last.callback(stack.down, wipe=True)
        stack.up_services()
        yield stack


@pytest.fixture
def source(services: Stack) -> Source:
    """Give the source, with rows in it."""
    found = Source(services)
    found.fill()
    return found


@pytest.fixture
def own() -> Iterator[Source]:
    """Run a source that this test alone has: it won't be what it was."""
    var = Path(tempfile.mkdtemp(prefix="palate-"))
    var.chmod(0o755)
    stack = Stack(var, Ports.free(), areas="food,flights")
    try:
        stack.up_services()
        found = Source(stack)
        found.fill()
        yield found
    finally:
        stack.down(wipe=True)
        shutil.rmtree(var, ignore_errors=True)
