"""The intake, which dies at a point of an upload: a process of its own.

``python -m tests.intake.victim <point> [<bug>]`` serves until a file comes so far. The
point may be none; a planted bug makes it do things in the wrong order.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from palate.files import events, imports
from palate.files.objects import Folder
from palate.files.settings import IntakeSettings
from palate.intake import door, relay, serve
from palate.intake.body import Body

# Each step of an upload and of an event, in their order.
POINTS = (
    "body begun",
    "body read",
    "before the object",
    "after the object",
    "import entered",
    "event entered",
    "after the commit",
    "before sending",
    "after sending",
    "after marking",
)


def main(point: str = "", bug: str = "") -> None:
    """Serve; die at the point."""
    if bug == "event before object":
        _event_before_object()
    elif bug == "answer before commit":
        _answer_before_commit()
    elif bug == "identity by file name":
        _identity_by_file_name()
    if point:
        _die_at(point)
    serve.serve(IntakeSettings.loaded())


def _die_at(point: str) -> None:
    owner, name, is_after = {
        "body begun": (Body, "feed", True),
        "body read": (Body, "finish", True),
        "before the object": (Folder, "put", False),
        "after the object": (Folder, "put", True),
        "import entered": (events, "enter", False),
        "event entered": (events, "enter", True),
        "after the commit": (imports, "enter", True),
        "before sending": (relay.Relay, "_send", False),
        "after sending": (events, "mark_sent", False),
        "after marking": (events, "mark_sent", True),
    }[point]
    called: Callable[..., Any] = getattr(owner, name)

    def dying(*args: Any, **kwargs: Any) -> Any:
        if is_after:
            called(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, dying)


def _event_before_object() -> None:
    kept = door.Door._store

    def store(self: Any, conn: Any, body: Any, came: Any, new: Any) -> Any:
        key = f"{new.company}/files/{came.sha256.hex()}.{new.form}"
        told = {"object_key": key, "url": self.store.url(key)}
        imports.enter(conn, imports.Delivery(**(vars(new) | told)))
        return kept(self, conn, body, came, new)

    door.Door._store = store  # type: ignore[method-assign]


def _answer_before_commit() -> None:
    entered = imports.enter

    def enter(conn: Any, new: Any) -> Any:
        with conn.transaction(force_rollback=True):
            return entered(conn, new)

    imports.enter = enter


def _identity_by_file_name() -> None:
    made = imports.import_id

    def import_id(company: str, dataset: str, key: Any, sha256: bytes) -> Any:
        return made(company, dataset, key or "file", sha256)

    imports.import_id = import_id


if __name__ == "__main__":
    main(*sys.argv[1:])
