"""Who may do what on the pages: handed in by who mounts the app."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from fastapi import HTTPException, Request

# A dependency of FastAPI that raises 401 or 403.
Guard = Callable[..., Any]


@dataclass(frozen=True)
class Guards:
    """The guards of the pages and of the acts.

    :param operations: may look at operations and charts
    :param persons: may see persons' data: a guest, the bytes of a message
    :param dismiss: may dismiss refused messages
    :param rules: may edit the rules of the tags
    :param user: a dependency that returns the name of who asks
    :param audit: gives for an event's name the dependency that records it
    """

    operations: Guard
    persons: Guard
    dismiss: Guard
    rules: Guard
    user: Callable[..., str]
    audit: Callable[[str], Guard]

    def __getitem__(self, name: str) -> Guard:
        """Return the guard of this name."""
        if name not in _NAMES:
            raise KeyError(name)
        guard: Guard = getattr(self, name)
        return guard


_NAMES = tuple(one.name for one in fields(Guards) if one.type is Guard)


def same_origin(request: Request) -> None:
    """Refuse a write that a page of another origin has sent.

    A browser says where a request comes from; a program that sends a token of its own
    needs not. The cookie alone would also be sent by a page on another port of this
    host.
    """
    if "authorization" in request.headers:
        return
    if request.headers.get("sec-fetch-site") != "same-origin":
        message = "This can be done from Palate's own pages only."
        raise HTTPException(403, message)
