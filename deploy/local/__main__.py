"""The commands behind `make up`, `make down` and so on."""

import argparse
import os
import sys
import time
from pathlib import Path

from deploy.local.airflow_server import REPOSITORY
from deploy.local.errors import StackError
from deploy.local.ports import Ports
from deploy.local.programs import PORTS
from deploy.local.signals import Signals
from deploy.local.stack import Stack


def main() -> int:
    """Run one command; return the exit code."""
    commands = {
        "up": _up,
        "up-services": _up_services,
        "down": _down,
        "status": _status,
        "reset": _reset,
    }
    parser = argparse.ArgumentParser(prog="python -m deploy.local")
    parser.add_argument("command", choices=commands)
    parser.add_argument("--yes", action="store_true", help="don't ask")
    arguments = parser.parse_args()
    try:
        return commands[arguments.command](local_stack(), arguments.yes)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1


def local_stack() -> Stack:
    """Return the stack of this checkout, or that of PALATE_VAR."""
    var = Path(os.environ.get("PALATE_VAR") or REPOSITORY / "var").resolve()
    last = Ports.read(var / "ports.json")
    ports = Ports.from_env(os.environ, last)
    signals = Signals.from_env(os.environ)
    return Stack(var, ports, signals, areas=os.environ.get("PALATE_AREAS", ""))


def _up(stack: Stack, _yes: bool) -> int:
    start = time.monotonic()
    stack.up_airflow(_say)
    _say(f"Up in {time.monotonic() - start:.0f} s. Addresses: {stack.var}/stack.env")
    env = stack.env()
    _say(f"Airflow: {env['AIRFLOW_URL']} (AIRFLOW_USER and AIRFLOW_PASSWORD there)")
    return 0


def _up_services(stack: Stack, _yes: bool) -> int:
    stack.up_services(_say)
    _say(f"Addresses: {stack.var}/stack.env")
    return 0


def _down(stack: Stack, _yes: bool) -> int:
    start = time.monotonic()
    stack.down()
    _say(f"All parts are down ({time.monotonic() - start:.1f} s).")
    return 0


def _status(stack: Stack, _yes: bool) -> int:
    ports = {part: getattr(stack.ports, names[0]) for part, names in PORTS.items()}
    _say(f"{'part':<15} {'state':<9} {'pid':>8} {'uptime':>9} {'port':>6}  answers")
    all_answer = True
    for one in stack.states():
        answers = one.is_up and stack.answers(one.name)
        all_answer = all_answer and answers
        _say(
            f"{one.name:<15} {one.state:<9} {one.pid or '-':>8} "
            f"{_duration(one.seconds) if one.pid else '-':>9} "
            f"{ports.get(one.name, '-'):>6}  {'yes' if answers else 'no'}"
        )
    return 0 if all_answer else 1


def _reset(stack: Stack, yes: bool) -> int:
    if not stack.var.exists():
        _say(f"Nothing to remove: {stack.var} doesn't exist.")
        return 0
    if not yes:
        try:
            answer = input(f"Stop the stack and remove all data in {stack.var}? [y/N] ")
        except EOFError:
            raise StackError("Nothing was removed: say YES=1 to go on.") from None
        if answer.strip().lower() not in {"y", "yes"}:
            _say("Nothing was removed.")
            return 1
    stack.down(wipe=True)
    _say(f"Removed {stack.var}.")
    return 0


def _duration(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
