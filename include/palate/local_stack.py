"""The stack that `make up` runs from this checkout, if the shell names no other."""

import os
import stat
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[2]
_SERVICES = ("DWH_DSN", "KAFKA_BOOTSTRAP", "REDIS_URL")
# Where the stack has them.
_MORE = (
    "PALATE_AREAS",
    "FLIGHTS_STANDBY_DSN",
    "FLIGHTS_PRIMARY_DSN",
    "FLIGHTS_CONNECT_URL",
    "MART_DSN",
)


def addresses() -> dict[str, str]:
    """Return the settings in its ``stack.env``; none if there is none.

    They never add to the environment: one that names any of the services means another
    stack. The file counts only if it is this user's, and nobody else can write it.
    """
    if any(os.environ.get(name) for name in _SERVICES):
        return {}
    found = _file()
    wanted = [name for name in _SERVICES + _MORE if not os.environ.get(name)]
    return {name.lower(): found[name] for name in wanted if name in found}


def address(name: str) -> str:
    """Return a variable of the environment, or else of ``stack.env``; or nothing."""
    return os.environ.get(name) or _file().get(name, "")


def _file() -> dict[str, str]:
    folder = Path(os.environ.get("PALATE_VAR") or _CHECKOUT / "var")
    try:
        with (folder / "stack.env").open() as file:
            status = os.fstat(file.fileno())
            is_ours = status.st_uid == os.geteuid()
            if not is_ours or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return {}
            lines = file.read().splitlines()
    except OSError:
        return {}
    return dict(line.split("=", maxsplit=1) for line in lines if "=" in line)
