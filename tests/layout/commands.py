"""Every command and option of ``palate``, as its docs: ``make docs``."""

import os
import subprocess
import sys
from pathlib import Path

LIBRARY = Path(__file__).parents[2] / "include"


def as_markdown() -> str:
    """Return the reference that Typer makes of the commands."""
    words = ["palate.cli", "utils", "docs", "--name", "palate"]
    done = subprocess.run(
        [sys.executable, "-m", "typer", *words, "--title", "The command palate"],
        env={**os.environ, "PYTHONPATH": str(LIBRARY), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


if __name__ == "__main__":
    print(as_markdown())
