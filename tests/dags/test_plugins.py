"""The plugins folder: what Airflow finds there by name, and what its forks find loaded.

Airflow imports each file of the folder by its stem, so one may hide a package.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.plugins_manager import get_import_errors
from airflow.sdk.module_loading import import_string

from palate_airflow.bell import KafkaBell
from palate_airflow.lineage import AssetExtractor
from palate_airflow.prompt_executor import PromptExecutor

REPOSITORY = Path(__file__).resolve().parents[2]
PLUGINS = REPOSITORY / "plugins"
INCLUDE = REPOSITORY / "include"
# A part of Airflow forks; the fork reads the DAG files, and says what that took.
FORK = """
import json, os, sys
import airflow_local_settings
from airflow.dag_processing.dagbag import DagBag
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
before = set(sys.modules)
bag = DagBag(sys.argv[1])
imported = sorted(
    name for name in set(sys.modules) - before if name.startswith("palate")
)
print(json.dumps({"imported": imported, "errors": bag.import_errors}))
"""


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("kafka_bell.KafkaBell", KafkaBell),
        ("palate_lineage.AssetExtractor", AssetExtractor),
        ("prompt_executor.PromptExecutor", PromptExecutor),
    ],
)
def test_class_is_found_by_the_path_that_airflow_stores(path: str, found: type) -> None:
    assert import_string(path) is found


def test_airflow_loads_every_file_of_the_folder() -> None:
    assert get_import_errors() == {}
    assert {path.stem for path in PLUGINS.glob("*.py")} <= set(sys.modules)


def test_no_file_of_the_folder_hides_a_package() -> None:
    packages = {path.parent.name for path in INCLUDE.glob("*/__init__.py")}
    assert packages == {"palate", "palate_airflow", "palate_cockpit"}
    assert packages & {path.stem for path in PLUGINS.rglob("*.py")} == set()


def test_watch_starts_by_its_name() -> None:
    done = _python("-m", "palate_watch", "--help")
    assert done.returncode == 0, done.stderr
    assert "--try" in done.stdout


def test_reading_dag_files_imports_nothing_that_a_fork_has_not() -> None:
    assert _read_in_a_fork() == {"imported": [], "errors": {}}


def test_setting_that_cannot_be_used_is_the_import_error_of_dag_files() -> None:
    done = _python("-c", FORK, str(REPOSITORY / "dags"), PALATE_TOPICS="nonsense")
    errors = json.loads(done.stdout.splitlines()[-1])["errors"]
    names = {path.name for path in (REPOSITORY / "dags").glob("*.py")}
    assert {Path(path).name for path in errors} == names
    assert all("palate_topics" in error for error in errors.values())
    assert "Exception ignored" not in done.stderr


def _read_in_a_fork() -> dict[str, Any]:
    done = _python("-c", FORK, str(REPOSITORY / "dags"))
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _python(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | {"PYTHONPATH": f"{INCLUDE}:{PLUGINS}"} | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
