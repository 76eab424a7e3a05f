"""The cockpit in a real Airflow: its login, roles, audit log and Connection."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from fastapi.testclient import TestClient

from palate.engine.outcome import Caller
from palate.engine.stage import open_run
from palate.positions.ranges import FeedPartition, Range
from palate.settings import Settings
from palate_airflow import cockpit
from palate_cockpit.pages import ALL
from palate_cockpit.routes import Pages
from palate_cockpit.sessions import User
from tests.cockpit import conftest as fakes
from tests.cockpit.forms import Forms
from tests.cockpit.test_app import ROUTES
from tests.corpus.case import BROKER_DT
from tests.dags.connections import connect
from tests.integration.staged import load, stage_messages
from tests.model.history import Message
from tests.warehouses import MakeWarehouse

REPOSITORY = Path(__file__).resolve().parents[2]
ROLES = ("viewer", "user", "op", "admin")
_AWAY = Settings(
    dwh_dsn="postgresql://nobody:secret-word@127.0.0.1:1/nothing",
    redis_url="redis://127.0.0.1:1/0",
)

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def server(metadata_database: None) -> Iterator[Any]:
    """Give Airflow's own app, as the api-server runs it, without a socket."""
    from airflow.api_fastapi.app import cached_app, purge_cached_app

    with pytest.MonkeyPatch.context() as patch:
        # So does the api-server: Connections are then looked for in its database too.
        patch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
        purge_cached_app()
        yield cached_app(apps="core")
        purge_cached_app()
        _build_anew()


def _build_anew() -> None:
    """Let the next request build the cockpit's app, as after a restart."""
    cockpit._build().state.sessions.close()
    cockpit._build.cache_clear()


def _as_role(server: Any, role: str | None, *, by_cookie: bool = False) -> TestClient:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    client = TestClient(server, raise_server_exceptions=False)
    if role:
        user = SimpleAuthManagerUser(username=f"{role}-anna", role=role)
        token = get_auth_manager().generate_jwt(user)
        if by_cookie:
            client.cookies.set("_token", token)
        else:
            client.headers["Authorization"] = f"Bearer {token}"
    return client


def test_airflow_knows_the_pages_and_had_no_trouble_to_find_them(server: Any) -> None:
    admin = _as_role(server, "admin")
    found = {one["name"]: one for one in admin.get("/api/v2/plugins").json()["plugins"]}
    assert found["palate"]["fastapi_apps"][0]["url_prefix"] == "/palate"
    assert {one["destination"] for one in found["palate"]["external_views"]} >= {"nav"}
    assert admin.get("/api/v2/plugins/importErrors").json()["total_entries"] == 0


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_nobody_sees_anything_without_airflows_login(
    server: Any, method: str, path: str
) -> None:
    answer = _as_role(server, None).request(method, f"/palate{path}", json={})
    assert answer.status_code == 401
    client = _as_role(server, None)
    client.cookies.set("_token", "made-up")
    assert client.request(method, f"/palate{path}", json={}).status_code == 403


# The roles of the tests of the pages stand for these: a user of Airflow may edit DAGs.
_STAND_FOR = {"viewer": "viewer", "user": "editor", "op": "editor", "admin": "editor"}


@pytest.mark.parametrize("role", ROLES)
def test_role_of_airflow_may_do_what_the_pages_say(
    server: Any, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, _AWAY)
    asked = _as_role(server, role)
    stand_in = fakes.as_role(fakes.make_app(_AWAY), _STAND_FOR[role])
    for method, path in ROUTES:
        answer = asked.request(method, f"/palate{path}", json={})
        expected = stand_in.request(method, path, json={})
        assert answer.status_code == expected.status_code, (method, path, answer.text)


@pytest.fixture
def page(server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Let there be an act that changes nothing; give a user's page."""
    probe = Pages("operations")

    @probe.act("/probe/{what}", "palate_probe", guard="dismiss")
    def do(what: str, user: User) -> str:
        return f"{user} has done {what}."

    monkeypatch.setattr("palate_cockpit.app.ALL", (*ALL, probe))
    _build_anew()
    client = _as_role(server, "user", by_cookie=True)
    client.headers["Sec-Fetch-Site"] = "same-origin"
    yield client
    _build_anew()


def test_act_is_in_airflows_audit_log_with_the_person(
    server: Any, page: TestClient
) -> None:
    done = page.post("/palate/api/v1/probe/nothing", json={"why": "a test"})
    assert (done.status_code, done.json()) == (
        200,
        {"done": "user-anna has done nothing."},
    )
    (entry,) = _events(server)
    assert (entry["event"], entry["owner"]) == ("palate_probe", "user-anna")
    assert json.loads(entry["extra"]) == {
        "what": "nothing",
        "why": "a test",
        "method": "POST",
    }


def test_act_of_another_site_or_role_is_neither_done_nor_noted(
    server: Any, page: TestClient
) -> None:
    before = len(_events(server))
    page.headers["Sec-Fetch-Site"] = "same-site"
    assert page.post("/palate/api/v1/probe/nothing", json={}).status_code == 403
    viewer = _as_role(server, "viewer")
    assert viewer.post("/palate/api/v1/probe/nothing", json={}).status_code == 403
    assert len(_events(server)) == before


def test_changed_connection_is_used_without_a_restart(
    server: Any, make_warehouse: MakeWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("palate.session_pool._SECONDS_TO_LIVE", 0)
    viewer = _as_role(server, "viewer")

    def dags() -> list[str]:
        answer = viewer.get("/palate/api/v1/batches")
        assert answer.status_code == 200, answer.text
        return [one["dag_id"] for one in answer.json()["batches"]]

    with make_warehouse() as first, make_warehouse() as second:
        for name, settings in (("first", first), ("second", second)):
            taken = [Range(FeedPartition("orders", 0, 0), 0, 1)]
            caller = Caller(name, "run", "drain")
            with open_run(settings, "drain", caller) as run, run.batch(taken):
                pass
        connect(monkeypatch, _AWAY)
        assert viewer.get("/palate/batches").status_code == 503
        connect(monkeypatch, first)
        assert dags() == ["first"]
        connect(monkeypatch, second)
        assert dags() == ["second"]
        _build_anew()


def test_replay_from_a_page_runs_in_the_persons_name_for_what_it_showed(
    server: Any, warehouse: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = next(iter(warehouse.palate_topics))
    with psycopg.connect(warehouse.dwh_dsn.get_secret_value(), autocommit=True) as conn:
        stage_messages(conn, [Message(topic, 0, 0, 0, BROKER_DT, b"no order")])
    load(warehouse)
    connect(monkeypatch, warehouse)
    _build_anew()
    DagBundlesManager().sync_bundles_to_db()
    path = str(REPOSITORY / "dags" / "rejected_replay.py")
    sync_bag_to_db(DagBag(path, bundle_name="dags-folder"), "dags-folder", None)

    person = _as_role(server, "user", by_cookie=True)
    page = Forms(person.get("/palate/refused?reason=not_json").text)
    _build_anew()
    runs = f"/api/v2/dags/{page.starts['replay-all']}/dagRuns"
    asked = {"logical_date": None, "conf": page.sent["replay-all"]}
    assert asked["conf"]["reasons"] == ["not_json"]
    assert _as_role(server, "viewer").post(runs, json=asked).status_code == 403
    answer = person.post(runs, json=asked)
    assert answer.status_code == 200, answer.text
    run = answer.json()
    assert run["triggering_user_name"] == "user-anna"
    assert run["conf"] == asked["conf"]
    admin = _as_role(server, "admin")
    assert admin.delete(f"{runs}/{run['dag_run_id']}").status_code == 204


def test_plugin_brings_no_web_server_into_other_parts_of_airflow() -> None:
    code = (
        "import sys; before = set(sys.modules); from palate_airflow import cockpit;"
        "print(sorted({one.split('.')[0] for one in set(sys.modules) - before}"
        " - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(REPOSITORY / "include")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "['palate_airflow']"


def _events(server: Any) -> list[dict[str, Any]]:
    answer = _as_role(server, "admin").get(
        "/api/v2/eventLogs", params={"event": "palate_probe"}
    )
    found: list[dict[str, Any]] = answer.json()["event_logs"]
    return found
