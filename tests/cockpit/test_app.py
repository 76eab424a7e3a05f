"""What holds for every page and act: the login, the roles, the headers, the errors."""

import re
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from palate.settings import Settings
from tests.cockpit.conftest import Audit, as_role, make_app

_AWAY = "postgresql://nobody:secret-word@127.0.0.1:1/nothing"
# Nothing is opened to be refused: the app needs no warehouse for that.
_CLOSED = make_app(Settings(dwh_dsn=_AWAY))


def _routes(app: FastAPI) -> list[tuple[str, str]]:
    found = []
    for route in _flat(app.routes):
        path = re.sub(r"{[^}]*}", "1", route.path)
        found += [(method, path) for method in sorted(route.methods or ())]
    return found


def _flat(routes: Any) -> list[APIRoute]:
    return [one for one in routes if isinstance(one, APIRoute)]


ROUTES = _routes(_CLOSED)


def test_every_route_but_static_files_is_walked() -> None:
    assert ("GET", "/batches") in ROUTES
    assert ("GET", "/api/v1/batches") in ROUTES
    others = [one for one in _CLOSED.routes if not isinstance(one, APIRoute)]
    assert [getattr(one, "path", one) for one in others] == ["/static"]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_nobody_sees_anything_without_a_login(method: str, path: str) -> None:
    answer = as_role(_CLOSED, None).request(method, path, json={})
    assert answer.status_code == 401
    assert "secret-word" not in answer.text


@pytest.mark.parametrize(("method", "path"), [r for r in ROUTES if r[0] != "GET"])
@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", None])
def test_act_is_done_from_the_own_pages_alone(
    method: str, path: str, site: str | None
) -> None:
    audit = Audit()
    client = as_role(make_app(Settings(dwh_dsn=_AWAY), audit), "editor")
    del client.headers["Sec-Fetch-Site"]
    if site:
        client.headers["Sec-Fetch-Site"] = site
    answer = client.request(method, path, json={})
    assert answer.status_code == 403
    assert audit.noted == []


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_answer_runs_no_foreign_script(method: str, path: str) -> None:
    headers = as_role(_CLOSED, None).request(method, path, json={}).headers
    rules = headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'"} <= set(rules)
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


def test_static_files_need_no_login() -> None:
    answer = as_role(_CLOSED, None).get("/static/cockpit.js")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-cache"


def test_page_says_that_postgresql_is_away() -> None:
    answer = as_role(_CLOSED, "viewer").get("/batches")
    assert answer.status_code == 503
    assert "can&#39;t be reached" in answer.text
    assert "secret-word" not in answer.text
    said = as_role(_CLOSED, "viewer").get("/api/v1/batches")
    assert (said.status_code, list(said.json())) == (503, ["error"])


def test_unknown_page_and_wrong_number_are_errors_in_words(viewer: TestClient) -> None:
    assert "There is no page /nowhere" in viewer.get("/nowhere").text
    answer = viewer.get("/batches", params={"before": "soon"})
    assert answer.status_code == 400
    assert "before" in answer.text


def test_session_reads_only_and_not_for_long(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the tests' patience
    for conn in app.state.sessions.read():
        settings = conn.execute(
            "SELECT current_setting('transaction_read_only'),"
            " current_setting('statement_timeout'),"
            " current_setting('transaction_isolation')"
        ).fetchone()
    assert settings == ("on", "2s", "repeatable read")
