"""The commands behind `make up`, `make down` and their like."""

import argparse
import os
import sys
from pathlib import Path

from deploy.local.errors import StackError
from deploy.local.ports import Ports
from deploy.local.stack import Stack

REPOSITORY = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run one command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local")
    parser.add_argument("command", choices=["up-services", "down"])
    command = parser.parse_args().command
    try:
        stack = _stack()
        if command == "up-services":
            stack.up_services(print)
        else:
            stack.down()
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _stack() -> Stack:
    var = Path(os.environ.get("PALATE_VAR") or REPOSITORY / "var").resolve()
    last = Ports.read(var / "ports.json")
    return Stack(var, Ports.from_env(os.environ, last))


if __name__ == "__main__":
    sys.exit(main())
