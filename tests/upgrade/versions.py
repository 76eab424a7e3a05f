"""Two versions of the program that serve one stack, one after the other."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

# The last commit with all modules of the library in one folder. A move to packages can
# change what a running stack has stored: names of classes, definitions, stages.
FROM = os.environ.get("PALATE_UPGRADE_FROM", "55962ce")

# What would lead a command of one version to the other, or to another stack.
_NOT_INHERITED = (
    *("PALATE_", "DWH_", "KAFKA_", "REDIS_", "AIRFLOW"),
    *("MAKE", "MFLAGS", "PYTEST", "PYTHONPATH", "VIRTUAL_ENV"),
)


@dataclass(frozen=True)
class Version:
    """A checkout, and the folder of the stack that it serves."""

    root: Path
    var: Path

    def make(self, target: str) -> str:
        """Run a target of the checkout's Makefile; return what it printed."""
        return self._run("make", target)

    def palate(self, *arguments: str) -> str:
        """Run the checkout's command on the stack; return what it printed."""
        return self._run(".venv/bin/palate", *arguments)

    def _run(self, *command: str) -> str:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_NOT_INHERITED)
        }
        done = subprocess.run(
            command,
            cwd=self.root,
            env={**environment, "PALATE_VAR": str(self.var), "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert not done.returncode, (
            f"`{' '.join(command)}` in {self.root}: exit code {done.returncode}\n"
            f"{done.stdout[-8000:]}"
        )
        return done.stdout


def take_from_git(commit: str, folder: Path) -> Path:
    """Write the files of a commit into a new folder; return it."""
    git = ["git", "-C", str(REPOSITORY)]
    is_there = subprocess.run(
        [*git, "cat-file", "-e", f"{commit}^{{commit}}"],
        capture_output=True,
        check=False,
    )
    if is_there.returncode:
        pytest.fail(
            f"The commit to upgrade from, {commit}, is not in this clone. Fetch all of "
            "the history (git fetch --unshallow), or name another commit: "
            "PALATE_UPGRADE_FROM=<commit>",
            pytrace=False,
        )
    archive = folder.parent / "old.tar"
    subprocess.run(
        [*git, "archive", "--format=tar", f"--output={archive}", commit], check=True
    )
    folder.mkdir()
    subprocess.run(["tar", "-xf", str(archive), "-C", str(folder)], check=True)
    archive.unlink()
    return folder
