"""A whole stack of these tests' own: they stop parts of it.

``PALATE_TEST_E2E_VAR=<folder> pytest tests/e2e`` keeps it for the next session.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.local.ports import Ports
from deploy.local.stack import Stack
from tests.e2e.airflow_api import DAG, AirflowApi, until
from tests.e2e.shop import Guest

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
def stack() -> Iterator[Stack]:
    """Run everything, Airflow included, on free ports."""
    with ExitStack() as last:
        kept = os.environ.get("PALATE_TEST_E2E_VAR")
        var = Path(kept or tempfile.mkdtemp(prefix="palate-"))
        var.mkdir(parents=True, exist_ok=True)
        var.chmod(0o755)
        stack = Stack(var, Ports.read(var / "ports.json") or Ports.free())
        if not kept:
            last.callback(stack.down, wipe=True)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in WATCH.items():
                patch.setenv(name, value)
            stack.up_airflow()
        yield stack


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
