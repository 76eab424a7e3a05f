"""Odd messages about reviews, and what must become of each, from ``corpus.json``.

A case is the example with ``changes`` at some paths (``text``: JSON as it is written
there), without ``missing`` ones; or it is a ``value`` of its own. ``expect`` has the
reasons that may be named for it, none where it is accepted.
"""

import copy
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.model.render import Literal, text

_FILE = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
BROKER_DT = datetime.fromisoformat(_FILE["broker_dt"])


@dataclass(frozen=True)
class Case:
    """A message, and every reason that may be named for it."""

    name: str
    value: bytes
    expect: frozenset[str]


def cases() -> list[Case]:
    """Return all cases."""
    return [
        Case(one["name"], _value(one), frozenset(one["expect"]))
        for one in _FILE["cases"]
    ]


def _value(one: dict[str, Any]) -> bytes:
    if "value" in one:
        return str(one["value"]).encode()
    message = copy.deepcopy(_FILE["example"])
    for path, value in one.get("changes", {}).items():
        here, last = _place(message, path)
        here[last] = value
    for path, value in one.get("text", {}).items():
        here, last = _place(message, path)
        here[last] = Literal(value)
    for path in one.get("missing", []):
        here, last = _place(message, path)
        del here[last]
    return text(message).encode()


def _place(message: Any, path: str) -> tuple[Any, Any]:
    *way, last = path.split(".")
    here = message
    for step in way:
        here = here[int(step)] if isinstance(here, list) else here[step]
    return here, int(last) if isinstance(here, list) else last
