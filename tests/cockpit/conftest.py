"""The cockpit without Airflow: its app over a real warehouse, with roles of a test."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Header, HTTPException
from fastapi.testclient import TestClient

from palate.settings import Settings
from palate_cockpit import Guards, create_app, sessions

# What each role may do beside what the one before it may, as in Airflow.
ROLES = ("viewer", "user", "editor")
_LEAST = {
    "operations": "viewer",
    "persons": "user",
    "dismiss": "user",
    "rules": "editor",
}


class Audit:
    """What the audit log has: (event, who)."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, str]] = []

    def __call__(self, event: str) -> Callable[..., None]:
        def note(x_user: Annotated[str, Header()] = "") -> None:
            self.noted.append((event, x_user))

        return note


def _needs(role: str) -> Callable[..., None]:
    def check(x_role: Annotated[str, Header()] = "") -> None:
        if x_role not in ROLES:
            raise HTTPException(401, "Not authenticated")
        if ROLES.index(x_role) < ROLES.index(role):
            raise HTTPException(403, "Forbidden")

    return check


def _user(x_user: Annotated[str, Header()] = "") -> str:
    return x_user


def make_app(settings: Settings, audit: Audit | None = None) -> FastAPI:
    """Return the app with the roles of a test: the header X-Role says which."""
    guards: dict[str, Any] = {name: _needs(role) for name, role in _LEAST.items()}
    return create_app(
        Guards(**guards, user=_user, audit=audit or Audit()), lambda: settings
    )


def as_role(app: FastAPI, role: str | None, user: str = "anna") -> TestClient:
    """Return a client that is logged in with a role, as a page of the cockpit."""
    headers = {"X-User": user, "Sec-Fetch-Site": "same-origin"}
    if role:
        headers["X-Role"] = role
    return TestClient(app, headers=headers, raise_server_exceptions=False)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a statement take its time: a test's machine may have much else to do."""
    monkeypatch.setattr(sessions, "_STATEMENT_TIMEOUT", "30s")


@pytest.fixture
def audit() -> Audit:
    """Give the audit log."""
    return Audit()


@pytest.fixture
def app(warehouse: Settings, audit: Audit) -> Iterator[FastAPI]:
    """Give the app over a fresh warehouse."""
    found = make_app(warehouse, audit)
    yield found
    found.state.sessions.close()


@pytest.fixture
def viewer(app: FastAPI) -> TestClient:
    """Give a client of somebody who may look at operations."""
    return as_role(app, "viewer")


@pytest.fixture
def user(app: FastAPI) -> TestClient:
    """Give a client of somebody who may see persons, replay and dismiss."""
    return as_role(app, "user")


@pytest.fixture
def editor(app: FastAPI) -> TestClient:
    """Give a client of somebody who may edit rules too."""
    return as_role(app, "editor")
