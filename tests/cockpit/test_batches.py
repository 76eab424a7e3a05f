"""The page of the batches."""

from fastapi.testclient import TestClient

from palate.reads.ledger import PAGE
from palate.settings import Settings
from tests.cockpit.test_runs import Ledger


def test_page_says_that_there_is_no_batch(viewer: TestClient) -> None:
    assert "There is no batch yet." in viewer.get("/batches").text
    assert viewer.get("/api/v1/batches").json()["batches"] == []


def test_list_goes_on_where_the_page_before_ended(
    viewer: TestClient, warehouse: Settings
) -> None:
    ledger = Ledger(warehouse)
    for number in range(PAGE + 2):
        ledger.attempt(f"r{number}", positions=1)
    first = viewer.get("/api/v1/batches").json()
    assert [one["run_id"] for one in first["batches"]][:: PAGE - 1] == ["r51", "r2"]
    assert f"before={first['older']}" in viewer.get("/batches").text
    second = viewer.get("/api/v1/batches", params={"before": first["older"]}).json()
    assert [one["run_id"] for one in second["batches"]] == ["r1", "r0"]
    assert second["older"] is None


def test_stage_that_fails_now_leads_to_its_run(
    viewer: TestClient, warehouse: Settings
) -> None:
    ledger = Ledger(warehouse)
    ledger.attempt("bad", error="See docs/operations.md, 'What PostgreSQL refuses'.")
    ledger.attempt("good", "drain", positions=1)
    page = viewer.get("/batches").text
    assert 'href="dags/orders_stream/runs/bad"' in page
    assert "/help#what-postgresql-refuses" in page
    ledger.attempt("better", positions=1)
    assert viewer.get("/api/v1/batches").json()["failing"] == []


def test_filters_leave_only_what_they_name(
    viewer: TestClient, warehouse: Settings
) -> None:
    ledger = Ledger(warehouse)
    ledger.attempt("first", "drain", positions=1)
    ledger.attempt("again", positions=1, is_repeat=True)
    ledger.attempt("replay", positions=1, dag_id="rejected_replay")
    ledger.attempt("other", "another/vault", positions=1)

    def runs(**query: str) -> list[str]:
        answer = viewer.get("/api/v1/batches", params=query)
        return [one["run_id"] for one in answer.json()["batches"]]

    assert runs() == ["other", "replay", "again", "first"]
    assert runs(stage="drain") == ["first"]
    assert runs(area="food") == ["replay", "again", "first"]
    assert runs(dag_id="rejected_replay") == ["replay"]
    assert runs(again="yes") == ["again"]
    assert runs(again="no", stage="vault") == ["replay"]
    page = viewer.get("/batches", params={"dag_id": "rejected_replay"}).text
    assert "<option selected>rejected_replay</option>" in page
    page = viewer.get("/batches", params={"stage": "drain", "again": "yes"}).text
    assert "There is no such batch." in page
    assert viewer.get("/batches", params={"again": "perhaps"}).status_code == 400
