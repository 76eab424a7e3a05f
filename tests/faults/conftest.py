"""Fixtures of the fault harness.

``PALATE_FAULTS_REPORT=<page> pytest tests/faults`` writes the tables into the page
(``tests/conftest.py`` does it: the one that starts two processes loads no other).
"""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from kafka.admin import KafkaAdminClient

from deploy.local import kafka
from deploy.local.ports import HOST, Ports
from deploy.local.secrets import Secrets
from deploy.local.stack import Stack
from tests.faults.ground import Ground
from tests.faults.harm import wait_for
from tests.faults.table import Results
from tests.faults.traffic import Traffic
from tests.warehouses import MakeWarehouse, Warehouses

MakeGround = Callable[..., AbstractContextManager[Ground]]

# A worker in a test waits for no service as long as one in production does.
_IMPATIENT = {"palate_lock_wait": 5.0, "palate_kafka_timeout": 4.0}


@pytest.fixture
def results(record_property: Callable[[str, object], None]) -> Results:
    """Take what the scenarios find; at the end of the session all is shown."""
    return Results(record_property)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Run everything, Airflow included, on free ports."""
    with ExitStack() as last:
        kept = os.environ.get("PALATE_TEST_E2E_VAR")
        var = Path(kept or tempfile.mkdtemp(prefix="palate-"))
        var.mkdir(parents=True, exist_ok=True)
        var.chmod(0o755)
        found = Stack(var, Ports.read(var / "ports.json") or Ports.free())
        if not kept:
            last.callback(found.down, wipe=True)
        found.up_airflow()
        yield found


@pytest.fixture
def make_ground(make_warehouse: MakeWarehouse, tmp_path: Path) -> MakeGround:
    """Return what makes a fresh warehouse on the session's services."""
    return _maker(make_warehouse, tmp_path)


@pytest.fixture
def ground(make_ground: MakeGround) -> Iterator[Ground]:
    """Give a fresh warehouse on the session's services, which must stay up."""
    with make_ground() as found:
        yield found


@pytest.fixture(scope="session")
def breakable() -> Iterator[Stack]:
    """Run services that a test may stop, kill and restart."""
    with ExitStack() as last:
        kept = os.environ.get("PALATE_TEST_VAR")
        made = f"{kept}-faults" if kept else tempfile.mkdtemp(prefix="palate-")
        var = Path(made)
        var.mkdir(parents=True, exist_ok=True)
        var.chmod(0o755)
        stack = Stack(var, Ports.read(var / "ports.json") or Ports.free())
        last.callback(stack.down, wipe=not kept)
        stack.up_services()
        yield stack


@pytest.fixture
def make_breakable_ground(breakable: Stack, tmp_path: Path) -> Iterator[MakeGround]:
    """Return what makes a fresh warehouse on services that may be broken."""
    with _LastingWarehouses(breakable) as warehouses:
        yield _maker(warehouses.make, tmp_path)


@pytest.fixture
def make_lasting_ground(services: Stack, tmp_path: Path) -> Iterator[MakeGround]:
    """Return what makes a fresh warehouse while brokers come and go."""
    with _LastingWarehouses(services) as warehouses:
        yield _maker(warehouses.make, tmp_path)


@pytest.fixture
def other_cluster(services: Stack) -> Iterator[str]:
    """Run one more broker, a cluster of its own; give its address."""
    with tempfile.TemporaryDirectory(prefix="palate-") as folder:
        var, ports = Path(folder), Ports.free()
        kafka.prepare(var, ports, services.authority, Secrets())
        with (var / "kafka.log").open("w") as output:
            process = subprocess.Popen(kafka.command(var), stdout=output, stderr=output)
            try:
                bootstrap = f"{HOST}:{ports.kafka}"
                wait_for(lambda: kafka.answers(bootstrap), 60)
                yield bootstrap
            finally:
                process.kill()
                process.wait(30)


class _LastingWarehouses(Warehouses):
    """Warehouses of services that are restarted: connects anew where it has to."""

    @property
    def _superuser(self) -> psycopg.Connection:
        try:
            self._session.execute("SELECT 1")
        except psycopg.OperationalError:
            dsn = self._dsn("postgres", "postgres")
            self._session = psycopg.connect(dsn, autocommit=True)
        return self._session

    @_superuser.setter
    def _superuser(self, session: psycopg.Connection) -> None:
        self._session = session

    @property
    def _admin(self) -> KafkaAdminClient:
        # An older one may know another set of brokers, and turn to one that is gone.
        self._client.close()
        self._client = KafkaAdminClient(
            bootstrap_servers=self._stack.env()["KAFKA_BOOTSTRAP"]
        )
        return self._client

    @_admin.setter
    def _admin(self, client: KafkaAdminClient) -> None:
        self._client = client


def _maker(make: MakeWarehouse, folder: Path) -> MakeGround:
    @contextmanager
    def made(
        seed: int = 1, partitions: int = 2, **settings: object
    ) -> Iterator[Ground]:
        own = {"palate_tags_topic": f"tags_{uuid4()}"}
        with (
            make(partitions, **{**_IMPATIENT, **own, **settings}) as found,
            Ground(found, folder / f"seed-{seed}", Traffic(seed)) as ground,
        ):
            yield ground

    return made
