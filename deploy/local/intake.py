"""The service of the area files in a stack: it takes what partners send by HTTP."""

import os
import subprocess
import sys
import urllib.request
from http.client import HTTPException
from pathlib import Path

from deploy.local import postgres
from deploy.local.errors import StackError
from deploy.local.ports import HOST, Ports, listens
from deploy.local.secrets import Secrets, write_private
from deploy.local.settings_files import render

NAME = "intake"
COMMAND = Path(__file__).with_name("with-intake")
# Requests under way have a minute at the end; then it ends what is left.
STOP_SECONDS = 75


def url(ports: Ports) -> str:
    """Return the address that files are sent to."""
    return f"http://{HOST}:{ports.intake}"


def env(var: Path, ports: Ports) -> dict[str, str]:
    """Return what the tasks need, and a person's shell: where files are kept."""
    return {
        "PALATE_INTAKE_STORE": f"file://{_folder(var)}/store",
        "INTAKE_URL": url(ports),
    }


def prepare(var: Path, ports: Ports, secrets: Secrets) -> None:
    """Write the settings, make bucket and topics; Kafka and the warehouse answer.

    :raises StackError: if bucket or topics can't be made
    """
    spool = _folder(var) / "spool"
    spool.mkdir(parents=True, exist_ok=True)
    _folder(var).chmod(0o700)
    login = (postgres.INTAKE, secrets.intake)
    settings = {
        "DWH_DSN": postgres.dsn(ports.postgres, *login, "dwh"),
        "KAFKA_BOOTSTRAP": f"{HOST}:{ports.kafka}",
        **env(var, ports),
        "PALATE_INTAKE_SPOOL": str(spool),
        "PALATE_INTAKE_ADDRESS": HOST,
        "PALATE_INTAKE_PORT": str(ports.intake),
        "PALATE_INTAKE_METRICS_PORT": str(ports.intake_metrics),
    }
    programs = Path(sys.executable).parent
    rendered = render("intake.env", programs=programs, settings=settings)
    write_private(_folder(var) / "intake.env", rendered)
    done = subprocess.run(
        [str(COMMAND), "prepare"],
        env={**os.environ, "PALATE_VAR": str(var)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StackError(f"`palate intake prepare` failed:\n{done.stdout.strip()}")


def answers(ports: Ports) -> bool:
    """Return whether it would take a file now, by its readiness probe."""
    if not listens(ports.intake):
        return False
    try:
        with urllib.request.urlopen(f"{url(ports)}/readiness", timeout=5) as response:
            return bool(response.status == 200)
    except (OSError, HTTPException):
        return False


def _folder(var: Path) -> Path:
    return var / NAME
