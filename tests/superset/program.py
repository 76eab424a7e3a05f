"""Superset in an environment of its own, with a database of its own."""

import hashlib
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

REPOSITORY = Path(__file__).parents[2]
FILES = REPOSITORY / "deploy" / "superset"
REQUIREMENTS = FILES / "requirements.txt"
DATABASE = "superset.db"
ADMIN = "admin"


def install(folder: Path) -> Path:
    """Install the pinned versions, unless they are there; return the programs' folder.

    A fresh database of Superset is made, too: its 300 migrations take a minute.

    :param folder: where both are kept for the next time
    """
    programs, note = folder / "bin", folder / "installed"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if note.exists() and note.read_text() == wanted:
        return programs
    shutil.rmtree(folder, ignore_errors=True)
    uv = REPOSITORY / ".venv" / "bin" / "uv"
    subprocess.run([uv, "venv", "-q", "--python", "3.11", folder], check=True)
    words = ["pip", "install", "-q", "--python", programs / "python"]
    words += ["--require-hashes", "-r", REQUIREMENTS]
    subprocess.run([uv, *words], check=True)
    fresh = Superset(programs, folder, port=0)
    fresh.command("db", "upgrade")
    fresh.command("init")
    note.write_text(wanted)
    return programs


@dataclass
class Superset:
    """One Superset; its commands are run as the README says."""

    programs: Path
    folder: Path
    port: int
    password: str = field(default_factory=lambda: secrets.token_hex(16))

    def __post_init__(self) -> None:
        key = self.folder / "key"
        key.write_text(secrets.token_hex(32))
        self._env = {
            **{
                name: os.environ[name]
                for name in ("HOME", "LANG")
                if name in os.environ
            },
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "FLASK_APP": "superset",
            "SUPERSET_HOME": str(self.folder),
            "SUPERSET_CONFIG_PATH": str(FILES / "superset_config.py"),
            "SUPERSET_SECRET_KEY_FILE": str(key),
            # Two threads of the server may hand a connection to each other.
            "SUPERSET_DATABASE_URI": (
                f"sqlite:///{self.folder}/{DATABASE}?check_same_thread=false"
            ),
            "SUPERSET_INSECURE_COOKIES": "yes",
        }

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def command(self, *words: str | Path) -> str:
        """Run a command of Superset; return what it printed.

        :raises AssertionError: if it fails; with what it printed
        """
        done = subprocess.run(
            ["superset", *words],
            env=self._env,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.stdout[-3000:]}"
        return done.stdout

    def prepare(self) -> None:
        """Take the fresh database, and make an administrator."""
        shutil.copy(self.programs.parent / DATABASE, self.folder / DATABASE)
        name = ["--username", ADMIN, "--firstname", "Ada", "--lastname", "Admin"]
        login = [*name, "--email", "admin@example.com", "--password", self.password]
        self.command("fab", "create-admin", *login)

    def import_bundle(self, archive: Path) -> None:
        """Import what `deploy.superset.archive` has written."""
        self.command("import-dashboards", "--path", archive, "--username", ADMIN)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let the server answer."""
        words = ["gunicorn", "--bind", f"127.0.0.1:{self.port}", "--threads", "8"]
        with (self.folder / "server.log").open("w") as log:
            server = subprocess.Popen(
                [*words, "--timeout", "120", "superset.app:create_app()"],
                env=self._env,
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait()
            yield
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)

    @contextmanager
    def api(self, user: str, password: str) -> Iterator[httpx.Client]:
        """Log in; give a client of the REST API that sends the token."""
        login = {"username": user, "password": password, "provider": "db"}
        with httpx.Client(base_url=f"{self.url}/api/v1", timeout=60) as client:
            answer = client.post("/security/login", json=login).raise_for_status()
            token = answer.json()["access_token"]
            client.headers["Authorization"] = f"Bearer {token}"
            answer = client.get("/security/csrf_token/").raise_for_status()
            client.headers["X-CSRFToken"] = answer.json()["result"]
            client.headers["Referer"] = self.url
            yield client

    @retry(
        stop=stop_after_delay(120),
        wait=wait_fixed(0.2),
        retry=retry_if_exception_type(httpx.TransportError),
        reraise=True,
    )
    def _wait(self) -> None:
        httpx.get(f"{self.url}/health", timeout=30).raise_for_status()


def all_of(api: httpx.Client, kind: str) -> list[dict[str, Any]]:
    """Return what there is of a kind, such as ``chart``, by id."""
    query = {"q": "(page_size:100)"}
    found = api.get(f"/{kind}/", params=query).raise_for_status().json()["result"]
    return sorted(found, key=lambda one: one["id"])
