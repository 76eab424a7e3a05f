"""An api-server alone, over SQLite: enough of Airflow to look at its UI.

Without scheduler, executor and DAG processor: a run that is started stays queued.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from deploy.local.ports import Ports
from palate.settings import Settings
from tests.dags.connections import variables

REPOSITORY = Path(__file__).resolve().parents[2]
ROLES = ("viewer", "user", "op", "admin")
_SECONDS_TO_START = 120


class LeanAirflow:
    """The settings of one Airflow, and who may log in: a person for each role."""

    def __init__(self, home: Path, settings: Settings, path: str = "") -> None:
        """Describe it.

        :param path: of its base URL, such as ``/airflow``
        """
        port = Ports.free().airflow
        self.url = f"http://127.0.0.1:{port}{path}"
        self.home = home
        self._log = home / f"api-server-{port}.log"
        passwords = home / "passwords.json"
        passwords.write_text(json.dumps({role: role for role in ROLES}))
        self._environment = (
            os.environ
            | _common_settings()
            | variables(settings)
            | {
                "AIRFLOW_HOME": str(home),
                "PYTHONPATH": str(REPOSITORY / "include"),
                "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
                "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
                    f"{role}:{role}" for role in ROLES
                ),
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
                "AIRFLOW__API__HOST": "127.0.0.1",
                "AIRFLOW__API__PORT": str(port),
                "AIRFLOW__API__BASE_URL": self.url,
                "AIRFLOW__API__SECRET_KEY": "s" * 64,
                "AIRFLOW__API_AUTH__JWT_SECRET": "s" * 64,
                "AIRFLOW__OPENLINEAGE__DISABLED": "True",
            }
        )

    def prepare(self) -> None:
        """Make its database, and let it know the DAGs."""
        self._airflow("db", "migrate")
        self._airflow("dags", "reserialize")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the api-server until the end of the block."""
        with self._log.open("w") as log:
            server = subprocess.Popen(
                [_AIRFLOW, "api-server"],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_for(server)
            yield
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=30)

    def token(self, role: str) -> str:
        """Return the login of the person of a role."""
        login = {"username": role, "password": role}
        answer = httpx.post(f"{self.url}/auth/token", json=login, timeout=60)
        return str(answer.raise_for_status().json()["access_token"])

    def trigger(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Start a run, which stays queued."""
        answer = httpx.post(
            f"{self.url}/api/v2/dags/{dag_id}/dagRuns",
            json={"logical_date": None, "dag_run_id": run_id},
            headers={"Authorization": f"Bearer {self.token('admin')}"},
            timeout=60,
        )
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    def _airflow(self, *arguments: str) -> None:
        done = subprocess.run(
            [_AIRFLOW, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def _wait_for(self, server: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _SECONDS_TO_START
        while True:
            assert server.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            try:
                httpx.get(f"{self.url}/api/v2/version", timeout=5).raise_for_status()
            except httpx.HTTPError:
                time.sleep(0.1)
            else:
                return


_AIRFLOW = str(Path(sys.executable).with_name("airflow"))


def _common_settings() -> dict[str, str]:
    lines = (REPOSITORY / "deploy" / "airflow.env").read_text().splitlines()
    pairs = (line.split("=", 1) for line in lines if line and line[0] != "#")
    return dict(pairs)
