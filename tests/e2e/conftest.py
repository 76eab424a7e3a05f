"""A whole stack of these tests' own: they stop parts of it.

``PALATE_TEST_E2E_VAR=<folder> pytest tests/e2e`` keeps it for the next session.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.local import airflow_server
from deploy.local.ports import Ports
from deploy.local.signals import Signals
from deploy.local.stack import Stack
from palate.settings import load_settings
from tests.checkout import Checkout
from tests.e2e.airflow_api import DAG, AirflowApi, until
from tests.e2e.shop import Guest
from tests.e2e.statsd import Receiver
from tests.warehouses import spare_the_disk

# What the watch promises here, and by whom it tells. Where to, the Connection says.
WATCH = {
    "PALATE_FRESHNESS_SECONDS": "10",
    "PALATE_NOTIFIER": "airflow.providers.smtp.notifications.smtp.SmtpNotifier",
    "PALATE_NOTIFIER_ARGUMENTS": json.dumps(
        {
            "from_email": "palate@example.org",
            "to": "operator@example.org",
            "subject": "{{ title }}",
            "html_content": "{{ text }}",
        }
    ),
}


@pytest.fixture(scope="package")
def var() -> Path:
    """Give the folder of the stack."""
    kept = os.environ.get("PALATE_TEST_E2E_VAR")
    found = Path(kept or tempfile.mkdtemp(prefix="palate-"))
    found.mkdir(parents=True, exist_ok=True)
    found.chmod(0o755)
    return found


@pytest.fixture(scope="package")
def statsd(var: Path) -> Iterator[Receiver]:
    """Receive the stack's metrics; a stack that is kept sends to the same port."""
    kept = var / "statsd.port"
    receiver = Receiver(int(kept.read_text()) if kept.exists() else 0)
    kept.write_text(str(receiver.port))
    yield receiver
    receiver.close()


@pytest.fixture(scope="package")
def checkout(var: Path) -> Path:
    """Give a copy of what is deployed, whose files a test may change."""
    found = var / "checkout"
    shutil.rmtree(found, ignore_errors=True)
    for name in ("dags", "plugins", "include", "sql"):
        shutil.copytree(airflow_server.REPOSITORY / name, found / name)
    return found


@pytest.fixture(scope="package")
def stack(var: Path, statsd: Receiver, checkout: Path) -> Iterator[Stack]:
    """Run everything, Airflow included, on free ports; Airflow runs the copy."""
    signals = Signals(statsd=f"127.0.0.1:{statsd.port}")
    found = Stack(var, Ports.read(var / "ports.json") or Ports.free(), signals)
    with pytest.MonkeyPatch.context() as lasting:
        # A test may start Airflow again: it then runs the copy too.
        lasting.setattr(airflow_server, "REPOSITORY", checkout)
        try:
            with pytest.MonkeyPatch.context() as patch:
                for name, value in WATCH.items():
                    patch.setenv(name, value)
                found.up_services()
                spare_the_disk(found)
                found.up_airflow()
            yield found
        finally:
            if not os.environ.get("PALATE_TEST_E2E_VAR"):
                found.down(wipe=True)
                shutil.rmtree(var, ignore_errors=True)


@pytest.fixture(scope="package")
def deployed(stack: Stack, checkout: Path) -> Checkout:
    """Give the deployment's files and its command."""
    env = stack.env()
    names = ("DWH_DSN", "KAFKA_BOOTSTRAP", "REDIS_URL")
    return Checkout(checkout, load_settings(**{n.lower(): env[n] for n in names}))


@pytest.fixture(scope="package")
def airflow(stack: Stack) -> Iterator[AirflowApi]:
    """Log in to the running Airflow; its bell hangs."""
    env = stack.env()
    api = AirflowApi(env["AIRFLOW_URL"], env["AIRFLOW_USER"], env["AIRFLOW_PASSWORD"])
    until(lambda: DAG in _dag_ids(api), f"the DAG {DAG}")
    yield api
    api.close()


@pytest.fixture
def dwh(stack: Stack) -> Iterator[psycopg.Connection[Any]]:
    """Connect to the warehouse, in autocommit mode."""
    with psycopg.connect(stack.env()["DWH_DSN"], autocommit=True) as found:
        yield found


@pytest.fixture
def guest(stack: Stack, airflow: AirflowApi) -> Guest:
    """Let a guest in whom the dictionaries know."""
    found = Guest(stack.env())
    found.enter_dictionaries()
    return found


def _dag_ids(api: AirflowApi) -> list[str]:
    return [dag["dag_id"] for dag in api.get("/dags")["dags"]]
