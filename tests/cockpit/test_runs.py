"""The tabs of a DAG, a run, a task and a task instance: what they did, who went on."""

import pytest
from fastapi.testclient import TestClient
from psycopg import Connection

from palate.engine.outcome import Caller
from palate.engine.stage import open_run
from palate.positions.ranges import FeedPartition, Range
from palate.settings import Settings

TOPIC = "orders"


class Ledger:
    """Enters attempts as stages do."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ends: dict[str, int] = {}

    def attempt(
        self,
        run_id: str,
        stage: str = "vault",
        *,
        try_number: int = 1,
        positions: int = 0,
        error: str = "",
        dag_id: str = "orders_stream",
        is_repeat: bool = False,
        map_index: int = -1,
        **counts: int,
    ) -> None:
        """Let an attempt commit a batch, where it takes positions; then let it fail."""
        caller = Caller(dag_id, run_id, stage, map_index, try_number)
        try:
            with open_run(self._settings, stage, caller) as run:
                if positions:
                    start = self._ends.get(stage, 0)
                    self._ends[stage] = start + positions
                    log = FeedPartition(TOPIC, 0, 1)
                    ranges = [Range(log, start, start + positions)]
                    with run.batch(ranges, is_repeat=is_repeat) as batch:
                        batch.counts.update(counts)
                if error:
                    raise _FailedError(error)
        except _FailedError:
            pass


class _FailedError(Exception):
    pass


@pytest.fixture
def ledger(warehouse: Settings) -> Ledger:
    return Ledger(warehouse)


def _run(client: TestClient, run_id: str, dag_id: str = "orders_stream") -> dict:
    return _asked(client, "/run", dag_id=dag_id, run_id=run_id)


def _asked(client: TestClient, path: str, **query: object) -> dict:
    assert client.get(path, params=query).status_code == 200
    return client.get(f"/api/v1{path}", params=query).json()


def test_run_shows_what_each_stage_took_and_counted(
    viewer: TestClient, ledger: Ledger
) -> None:
    ledger.attempt("r1", "drain", positions=3, messages=3)
    ledger.attempt("r1", "drain", try_number=2, positions=2, messages=2)
    ledger.attempt("r1", positions=5, documents=5, refused=1)
    ledger.attempt("r2", "drain", positions=7, messages=7)
    found = _run(viewer, "r1")["attempts"]
    assert [(one["stage"], one["outcome"], one["counts"]) for one in found] == [
        ("drain", "done", {"messages": 3}),
        ("drain", "done", {"messages": 2}),
        ("vault", "done", {"documents": 5, "refused": 1}),
    ]
    assert found[1]["ranges"] == [
        {"topic": TOPIC, "epoch": 0, "partition": 1, "start": 3, "end": 5}
    ]
    page = viewer.get("/run", params={"dag_id": "orders_stream", "run_id": "r1"}).text
    assert "documents 5" in page
    assert "orders/1: 3..4" in page


def test_failed_attempt_says_why_and_which_run_went_on(
    viewer: TestClient, ledger: Ledger
) -> None:
    ledger.attempt("r1", error="The <warehouse> does not answer.")
    page = viewer.get("/run", params={"dag_id": "orders_stream", "run_id": "r1"}).text
    assert "The &lt;warehouse&gt; does not answer." in page
    assert "Nobody has finished it since." in page
    ledger.attempt("other", "drain", positions=1)
    ledger.attempt("r2", positions=4)
    (attempt,) = _run(viewer, "r1")["attempts"]
    assert attempt["left_to"]["run_id"] == "r2"
    assert not attempt["left_to"]["is_same_task"]
    page = viewer.get("/run", params={"dag_id": "orders_stream", "run_id": "r1"}).text
    assert "What it left was done by" in page


def test_next_attempt_of_the_task_is_named_before_other_runs(
    viewer: TestClient, ledger: Ledger
) -> None:
    ledger.attempt("r1", error="It failed.")
    ledger.attempt("r2", positions=4)
    ledger.attempt("r1", try_number=2, positions=1)
    first, second = _run(viewer, "r1")["attempts"]
    assert first["left_to"]["is_same_task"]
    assert first["left_to"]["try_number"] == 2
    assert second["left_to"] is None


def test_killed_attempt_has_not_finished_until_another_has(
    viewer: TestClient, ledger: Ledger, connection: Connection
) -> None:
    ledger.attempt("r1", positions=2)
    connection.execute(
        "UPDATE ops.stage_runs SET outcome = 'running', finished_dt = NULL"
    )
    (attempt,) = _run(viewer, "r1")["attempts"]
    assert (attempt["outcome"], attempt["left_to"]) == ("running", None)
    ledger.attempt("r2", positions=2)
    (attempt,) = _run(viewer, "r1")["attempts"]
    assert attempt["left_to"]["run_id"] == "r2"


def test_what_a_reload_left_is_not_done_by_a_live_run(
    viewer: TestClient, ledger: Ledger, connection: Connection
) -> None:
    connection.execute(
        "INSERT INTO ops.reloads (dag_id, run_id, from_dt, to_dt, source)"
        " VALUES ('orders_history_reload', 'week', '2026-01-01', '2026-01-08', 'auto')"
    )
    ledger.attempt("week", dag_id="orders_history_reload", error="It failed.")
    ledger.attempt("r2", positions=4)
    found = _run(viewer, "week", "orders_history_reload")
    assert found["attempts"][0]["left_to"] is None
    page = viewer.get(
        "/run", params={"dag_id": "orders_history_reload", "run_id": "week"}
    ).text
    assert f"/reloads/{found['reload_id']}" in page


def test_task_instance_shows_its_own_attempts(
    viewer: TestClient, ledger: Ledger
) -> None:
    for index in (0, 1):
        ledger.attempt("r1", "drain", positions=1, map_index=index)
    ledger.attempt("r1", positions=1)
    asked = {"dag_id": "orders_stream", "run_id": "r1", "task_id": "drain"}
    of_one = _asked(viewer, "/task", **asked, map_index=1)["attempts"]
    assert [one["map_index"] for one in of_one] == [1]
    # So Airflow asks for a task that isn't mapped.
    of_all = _asked(viewer, "/task", **asked, map_index="{MAP_INDEX}")["attempts"]
    assert [one["map_index"] for one in of_all] == [0, 1]


def test_dag_sums_its_runs_page_by_page(viewer: TestClient, ledger: Ledger) -> None:
    for number in range(23):
        ledger.attempt(f"r{number}", "drain", positions=2, messages=2)
        ledger.attempt(f"r{number}", positions=2, documents=2, refused=1)
    ledger.attempt("r0", try_number=2, error="It was cleared, and failed.")
    first = _asked(viewer, "/dag", dag_id="orders_stream")
    assert [one["run_id"] for one in first["runs"]] == [
        "r0", *(f"r{number}" for number in range(22, 3, -1))
    ]  # fmt: skip
    newest = first["runs"][0]
    assert (newest["messages"], newest["documents"], newest["refused"]) == (2, 2, 1)
    assert (newest["attempts"], newest["failed"]) == (3, 1)
    second = _asked(viewer, "/dag", dag_id="orders_stream", before=first["older"])
    assert [one["run_id"] for one in second["runs"]] == ["r3", "r2", "r1"]
    assert second["older"] is None
    of_task = _asked(viewer, "/dag", dag_id="orders_stream", task_id="drain")["runs"]
    assert of_task[0]["run_id"] == "r22"
    assert (of_task[0]["messages"], of_task[0]["documents"]) == (2, 0)


@pytest.mark.parametrize("path", ["/dag", "/run", "/task"])
def test_tab_of_a_foreign_dag_says_so(
    viewer: TestClient, ledger: Ledger, path: str
) -> None:
    ledger.attempt("r1", positions=1)
    asked = {"dag_id": "anothers", "run_id": "r1", "task_id": "t"}
    assert "This DAG has run no stage of Palate." in viewer.get(path, params=asked).text
    asked |= {"dag_id": "orders_stream", "run_id": "new"}
    page = viewer.get(path, params=asked).text
    assert "has begun no stage of Palate" in page


def test_run_that_checked_shows_what_it_found(
    viewer: TestClient, connection: Connection
) -> None:
    connection.execute(
        "INSERT INTO ops.check_results (dag_id, run_id, check_name, subject, severity,"
        " outcome, found, examples, note, seconds) VALUES"
        " ('warehouse_checks', 'r', 'keys', 'a', 'fail', 'passed', 0, '[]', '', 1),"
        " ('warehouse_checks', 'r', 'keys', 'b', 'fail', 'found', 2, '[]', '', 1)"
    )
    assert _run(viewer, "r", "warehouse_checks")["checks"] == {"found": 1, "passed": 1}
