"""Airflow: the settings, the metadata database, the login."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from importlib.metadata import version
from pathlib import Path

from deploy.local import redis_server
from deploy.local.errors import StackError
from deploy.local.ports import HOST, Ports, listens
from deploy.local.postgres import TASKS, dsn
from deploy.local.secrets import Secrets, write_private
from deploy.local.settings_files import render
from deploy.local.signals import Signals
from palate.database import connect
from palate.errors import PalateError
from palate.monitoring import freshness
from palate.settings import Settings

USER = "admin"
REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND = Path(__file__).with_name("airflow")
# Each part by its name in the health report, with the arguments that start it. Logs
# are read from the files: everything runs on this machine.
PARTS = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
# Beside them the watch, which must notice when one of them hangs.
WATCH = "watch"
WATCH_COMMAND = Path(__file__).with_name("watch")


def url(ports: Ports) -> str:
    """Return the address of the UI and the API."""
    return f"http://{HOST}:{ports.airflow}"


def work_folder(var: Path) -> Path:
    """Return the working directory of Airflow's processes, used by nothing else."""
    return var / "airflow" / "work"


def prepare(
    var: Path,
    ports: Ports,
    secrets: Secrets,
    signals: Signals,
    addresses: Mapping[str, str],
) -> None:
    """Write the settings and bring the metadata database up to this version.

    :param addresses: of more services than the Connections name, by variable
    :raises StackError: if the migration fails, or a setting of the signals is wrong
    """
    home = var / "airflow"
    passwords_file = home / "passwords.json"
    write_private(passwords_file, json.dumps({USER: secrets.admin}))
    settings = render(
        "airflow.env",
        home=home,
        repository=REPOSITORY,
        programs=Path(sys.executable).parent,
        port=ports.airflow,
        metrics_port=ports.metrics,
        url=url(ports),
        user=USER,
        passwords_file=passwords_file,
        metadata_uri=dsn(ports.postgres, "airflow", secrets.airflow, "airflow").replace(
            "postgresql:", "postgresql+psycopg2:"
        ),
        secrets=secrets,
        connections=_connections(ports, secrets),
        addresses=addresses,
        statsd=signals.statsd_address,
        openlineage=signals.openlineage_transport,
    )
    write_private(var / "airflow.env", settings)
    _migrate(var)


def answers(ports: Ports, component: str) -> bool:
    """Return whether the API answers and reports the component healthy.

    :param component: as the health report names it, such as ``dag_processor``
    """
    if not listens(ports.airflow):
        return False
    try:
        with urllib.request.urlopen(
            f"{url(ports)}/api/v2/monitor/health", timeout=5
        ) as response:
            health = json.load(response)
    except (OSError, ValueError, HTTPException):
        return False
    return bool(health.get(component, {}).get("status") == "healthy")


def is_watching(settings: Settings) -> bool:
    """Return whether the watch has checked lately."""
    try:
        with connect(settings) as conn:
            return freshness.is_watched(conn)
    except PalateError:
        return False


def run(var: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command `airflow` on a stack; its output is in ``stdout``."""
    return subprocess.run(
        [str(COMMAND), *arguments],
        env={**os.environ, "PALATE_VAR": str(var)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _connections(ports: Ports, secrets: Secrets) -> dict[str, dict[str, object]]:
    return {
        "dwh": {
            "conn_type": "postgres",
            "host": HOST,
            "port": ports.postgres,
            "login": TASKS,
            "password": secrets.tasks,
            "schema": "dwh",
        },
        "kafka": {
            "conn_type": "kafka",
            "extra": {"bootstrap.servers": f"{HOST}:{ports.kafka}"},
        },
        "redis": {
            "conn_type": "redis",
            "host": HOST,
            "port": ports.redis,
            "login": redis_server.PALATE,
            "password": secrets.redis_palate,
            "extra": {"db": 0},
        },
    }


def _migrate(var: Path) -> None:
    """Migrate once per version of Airflow: finding out costs as much as migrating."""
    done_for = var / "airflow" / "migrated-to"
    wanted = version("apache-airflow-core")
    if done_for.exists() and done_for.read_text() == wanted:
        return
    done = run(var, "db", "migrate")
    (var / "log" / "airflow-db-migrate.log").write_text(done.stdout)
    if done.returncode:
        raise StackError(f"`airflow db migrate` failed: {done.stdout[-2000:].strip()}")
    done_for.write_text(wanted)
