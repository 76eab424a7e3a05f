"""An Airflow of these tests' own: its settings, and the plugins folder on the path.

Airflow reads its settings when it is imported: they are set here, before any test is.
"""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from palate.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[2]
_HOME = tempfile.mkdtemp(prefix="palate-airflow-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)

os.environ.update(
    AIRFLOW_HOME=_HOME,
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__DAGS_FOLDER=str(REPOSITORY / "dags"),
    AIRFLOW__CORE__PLUGINS_FOLDER=str(REPOSITORY / "plugins"),
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="False",
)
sys.path.insert(0, str(REPOSITORY / "plugins"))


@pytest.fixture(scope="session")
def metadata_database() -> None:
    """Make Airflow's metadata database, for tests that run tasks."""
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture
def connections(warehouse: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Airflow use a warehouse of the test's own."""
    from tests.dags.connections import connect

    connect(monkeypatch, warehouse)
