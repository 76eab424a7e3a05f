"""Fixtures: real services for a session, a fresh warehouse and topics for each test.

``PALATE_TEST_VAR=<folder> pytest`` keeps the services of that folder running for the
next session; ``PALATE_VAR=<folder> make down`` ends them.
"""

import os
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError
from rich.console import Console

from deploy.local.ports import Ports
from deploy.local.stack import Stack
from palate.settings import Settings
from tests import measured, profiles  # noqa: F401 - says how much hypothesis tries
from tests.faults.table import Tables
from tests.sharing import BySharing
from tests.warehouses import MakeWarehouse, Warehouses, spare_the_disk

# A process that xdist starts has a width, which the command would take for a person's.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)


def pytest_configure(config: pytest.Config) -> None:
    """Measure the processes that run tests, where that is asked for."""
    measured.only_tests(config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Measure tests of the library only."""
    with measured.paused_elsewhere(item):
        return (yield)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs real parts by the fixtures it asks for."""
    for item in items:
        for name in ("services", "airflow"):
            if name in getattr(item, "fixturenames", ()):
                item.add_marker(name)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep tests together that share something, with ``--dist loadscope``."""
    return BySharing(config, log) if config.getoption("dist") == "loadscope" else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what the faults came to, and write it down if asked to."""
    tables = Tables(
        (name, tuple(row))
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        for name, row in report.user_properties
    )
    if tables.faults or tables.bugs:
        terminalreporter.section("faults")
        tables.show(Console(width=100))
    if page := os.environ.get("PALATE_FAULTS_REPORT"):
        tables.write(Path(page))


@pytest.fixture(scope="session")
def services() -> Iterator[Stack]:
    """Run PostgreSQL, Redis and Kafka on free ports."""
    with ExitStack() as last:
        kept = os.environ.get("PALATE_TEST_VAR")
        # Below the system's own folder for temporary files: PostgreSQL's account has
        # to get there, and the path of a socket must be short.
        var = Path(kept or tempfile.mkdtemp(prefix="palate-"))
        var.mkdir(parents=True, exist_ok=True)
        var.chmod(0o755)
        ports = Ports.read(var / "ports.json") or Ports.free()
        stack = Stack(var, ports)
        if not kept:
            last.callback(stack.down, wipe=True)
        stack.up_services()
        spare_the_disk(stack)
        yield stack


@pytest.fixture(scope="session")
def make_warehouse(services: Stack) -> Iterator[MakeWarehouse]:
    """Return what makes a migrated database with two topics of its own.

    For a fixture that several tests share; a single test asks for ``warehouse``.
    """
    with Warehouses(services) as warehouses:
        yield warehouses.make


@pytest.fixture
def warehouse(make_warehouse: MakeWarehouse) -> Iterator[Settings]:
    """Give the settings of a fresh warehouse, two fresh topics and an empty Redis."""
    with make_warehouse() as settings:
        yield settings


@pytest.fixture
def connection(warehouse: Settings) -> Iterator[psycopg.Connection]:
    """Connect to the test's warehouse, in autocommit mode."""
    dsn = warehouse.dwh_dsn.get_secret_value()
    with psycopg.connect(dsn, autocommit=True) as found:
        yield found


# Not for the session: it would keep asking for the topics of tests that are over.
@pytest.fixture
def producer(services: Stack) -> Iterator[KafkaProducer]:
    """Give a plain client that sends bytes; call ``flush()`` before reading."""
    client = KafkaProducer(
        bootstrap_servers=services.env()["KAFKA_BOOTSTRAP"], linger_ms=0, acks="all"
    )
    yield client
    with suppress(KafkaTimeoutError):  # the broker may be gone by then
        client.close(timeout=2)
