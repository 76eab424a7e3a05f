"""The intake as a process of its own, and what a partner's client does to it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg

from deploy.local.ports import Ports
from palate.database import connect
from palate.intake import tokens
from palate.settings import Settings
from tests.e2e.airflow_api import until
from tests.warehouses import environment_of

DATASET = "companies"
PALATE = str(Path(sys.executable).with_name("palate"))


@dataclass
class Intake:
    """A running replica, and where its files and its log are."""

    settings: Settings
    folder: Path
    port: int
    env: dict[str, str]
    process: "subprocess.Popen[bytes] | None" = None
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def objects(self) -> Path:
        return self.folder / "store" / "palate-files"

    @property
    def log(self) -> str:
        return (self.folder / f"{self.port}.log").read_text()

    def start(self, *python: str) -> None:
        """Start the command, or Python with these arguments; wait until it is ready."""
        command = [sys.executable, *python] if python else [PALATE, "intake", "serve"]
        with (self.folder / f"{self.port}.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env=self.env, stdout=log, stderr=log
            )
        until(self.is_ready, f"the intake is ready: {self.log}", seconds=60)

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(by)
        return self.process.wait(90)

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        try:
            return httpx.get(f"{self.url}/readiness").status_code == 200
        except httpx.TransportError:
            return False

    def metrics(self) -> str:
        port = self.env["PALATE_INTAKE_METRICS_PORT"]
        return httpx.get(f"http://127.0.0.1:{port}/metrics").text

    def palate(
        self, *arguments: str, app: str = "intake", **env: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [PALATE, app, *arguments],
            env=self.env | env,
            capture_output=True,
            text=True,
            check=False,
        )

    def partner(self, company: str, *, dataset: str = DATASET) -> "Partner":
        with connect(self.settings) as conn:
            token = tokens.add(conn, company, [dataset])
        client = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=60
        )
        self.clients.append(client)
        return Partner(company, token, client)

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        dsn = self.settings.dwh_dsn.get_secret_value()
        with psycopg.connect(dsn, autocommit=True) as conn:
            return conn.execute(query, values).fetchall()


@dataclass
class Partner:
    """A company with a token."""

    company: str
    token: str
    client: httpx.Client

    def send(
        self,
        content: Any,
        kind: str = "application/json",
        *,
        dataset: str = DATASET,
        **headers: str,
    ) -> httpx.Response:
        """Send a file; the names of headers have ``_`` for ``-``."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(
            f"/import/{dataset}", content=content, headers={"Content-Type": kind} | more
        )


@contextmanager
def running(
    settings: Settings, folder: Path, port: int, **env: str
) -> Iterator[Intake]:
    """Run a replica."""
    found = Intake(
        settings,
        folder,
        port,
        {
            **os.environ,
            **environment_of(settings),
            "PALATE_INTAKE_STORE": f"file://{folder}/store",
            "PALATE_INTAKE_SPOOL": str(folder),
            "PALATE_INTAKE_PORT": str(port),
            "PALATE_INTAKE_METRICS_PORT": str(Ports.free().redis),
            **env,
        },
    )
    found.start()
    try:
        yield found
    finally:
        for client in found.clients:
            client.close()
        if found.process is not None and found.process.poll() is None:
            found.stop()


def problem(answer: httpx.Response) -> dict[str, Any]:
    """Return an answer by RFC 9457, which it must be."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    said: dict[str, Any] = json.loads(answer.content)
    assert said["status"] == answer.status_code
    assert said["type"] == f"urn:palate:{said['reason']}"
    assert said["instance"] == answer.headers["X-Request-Id"]
    assert len(answer.content) < 1_000
    return said
