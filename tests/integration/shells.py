"""A shell in which a person calls the command ``palate``."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from palate.names import SQL_FOLDER
from palate.settings import Settings
from tests import measured
from tests.warehouses import environment_of


@dataclass
class Shell:
    """A shell whose environment is that of one warehouse."""

    env: dict[str, str]

    def palate(self, *arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
        """Run the command; it must never show a traceback."""
        done = subprocess.run(
            [str(Path(sys.executable).parent / "palate"), *arguments],
            env={**self.env, **measured.environment_of_child(), **env},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def lines(self, *arguments: str) -> list[str]:
        """Run the command, which must succeed; return the lines it printed."""
        done = self.palate(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


def shell_of(settings: Settings) -> Shell:
    """Return a shell with the settings of a warehouse, and a wide window."""
    own = {name for name in os.environ if name.startswith("PALATE_")}
    inherited = {name: v for name, v in os.environ.items() if name not in own}
    return Shell(
        inherited
        | environment_of(settings)
        | {
            "PYTHONPATH": str(SQL_FOLDER.parent / "include"),
            "PALATE_KAFKA_TIMEOUT": "2",
            "COLUMNS": "1000",  # so that no line is broken
            "NO_COLOR": "1",
        }
    )
