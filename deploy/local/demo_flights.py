"""The demo of the area flights: an airline whose mart equals its tables.

Airflow does all the loading; the demo lets things happen at the airline, waits, and
compares the mart with the same question asked of the standby.
"""

import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from deploy.local.__main__ import local_stack

_LIVE_SECONDS = 60
_ACTS_A_MINUTE = 300
# The promise is a minute; the first load of all may take longer.
_COMPARE_SECONDS = 300

out = Console()


def main() -> int:
    """Run the demo on the running stack; return the exit code of its comparison."""
    stack = local_stack()
    os.environ.update(stack.env() | {"PALATE_VAR": str(stack.var)})

    _say("1. The airline has aircraft, airports, flights and the first bookings.")
    _simulate("fill")

    _say(f"2. A minute at the airline, {_ACTS_A_MINUTE} acts.")
    _simulate("live", "--rate", str(_ACTS_A_MINUTE), "--for", str(_LIVE_SECONDS))

    _say("3. Is the vault, row by row, what the standby is?")
    if code := _palate("flights", "reconcile"):
        return code

    _say("4. Is the mart, and its copy, what the standby says it must be?")
    compared = _simulate("truth", "--compare", "--wait", str(_COMPARE_SECONDS))
    out.print(
        "\nGo on: `.venv/bin/palate simulate flights live`, then the comparison again:"
        " `.venv/bin/palate simulate flights truth --compare --wait 60`."
    )
    return compared


def _simulate(command: str, *arguments: str) -> int:
    code = _palate("simulate", "flights", command, *arguments)
    if code and command != "truth":
        sys.exit(code)
    return code


def _palate(*arguments: str) -> int:
    palate = str(Path(sys.executable).with_name("palate"))
    return subprocess.run([palate, *arguments], check=False).returncode


def _say(sentence: str) -> None:
    out.rule(f"[bold]{sentence}", align="left")


if __name__ == "__main__":
    sys.exit(main())
