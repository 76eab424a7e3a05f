"""What a person does in Airflow's UI, through the REST API that the UI uses."""

import time
from collections.abc import Callable
from copy import copy
from datetime import datetime
from typing import Any, TypeVar

import httpx

T = TypeVar("T")
Json = dict[str, Any]

DAG = "orders_stream"
OVER = {"success", "failed"}


def until(look: Callable[[], T | None], what: str, seconds: float = 120) -> T:
    """Look until something is there; return it.

    :raises AssertionError: if it isn't there in time
    """
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"Not within {seconds:g} s: {what}"
        time.sleep(0.1)
    return found


class AirflowApi:
    """One running Airflow, as its administrator sees it."""

    def __init__(self, url: str, user: str, password: str) -> None:
        """Log in."""
        self.dag = DAG
        self.url = url
        self._client = httpx.Client(base_url=url, timeout=60)
        login = {"username": user, "password": password}
        token = self._client.post("/auth/token", json=login).raise_for_status().json()
        self.token = str(token["access_token"])
        self._client.headers["Authorization"] = f"Bearer {self.token}"

    def of(self, dag: str) -> "AirflowApi":
        """Return the same login, for what is done with another DAG."""
        other = copy(self)
        other.dag = dag
        return other

    def close(self) -> None:
        """Disconnect."""
        self._client.close()

    def get(self, path: str, **query: Any) -> Any:
        """Ask for something below ``/api/v2``."""
        response = self._client.get(f"/api/v2{path}", params=query)
        return response.raise_for_status().json()

    def post(self, path: str, body: Json) -> httpx.Response:
        """Do something; the caller looks whether it was accepted."""
        return self._client.post(f"/api/v2{path}", json=body)

    def runs(self, **query: Any) -> list[Json]:
        """Return the DAG's runs, the latest first."""
        query = {"order_by": "-run_after", "limit": 100} | query
        found: list[Json] = self.get(f"/dags/{self.dag}/dagRuns", **query)["dag_runs"]
        return found

    def has_queued_events(self) -> bool:
        """Tell whether events of assets wait to become a run of the DAG."""
        found = self.get(f"/dags/{self.dag}/assets/queuedEvents")
        return bool(found["total_entries"])

    def run(self, run_id: str) -> Json:
        """Return one run."""
        found: Json = self.get(f"/dags/{self.dag}/dagRuns/{run_id}")
        return found

    def trigger(self, conf: Json) -> httpx.Response:
        """Start a run by hand, with a filled form."""
        return self.post(
            f"/dags/{self.dag}/dagRuns", {"logical_date": None, "conf": conf}
        )

    def over(self, run_id: str) -> Json:
        """Wait until a run is over; return it."""

        def look() -> Json | None:
            run = self.run(run_id)
            return run if run["state"] in OVER else None

        return until(look, f"the end of {run_id}")

    def tasks(self, run_id: str) -> dict[str, Json]:
        """Return the task instances of a run by their ids."""
        found = self.get(f"/dags/{self.dag}/dagRuns/{run_id}/taskInstances")
        return {task["task_id"]: task for task in found["task_instances"]}

    def outcome(self, run_id: str, task_id: str) -> Json:
        """Return what a task has put into its XCom."""
        found: Json = self.get(
            f"/dags/{self.dag}/dagRuns/{run_id}/taskInstances/{task_id}"
            "/xcomEntries/return_value",
            deserialize="true",
        )["value"]
        return found

    def log(self, run_id: str, task_id: str, attempt: int = 1) -> str:
        """Return a task's log as text."""
        found = self.get(
            f"/dags/{self.dag}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}"
        )
        return "\n".join(str(line) for line in found["content"])

    def answer(self, run_id: str, task_id: str, option: str) -> None:
        """Wait for a task that asks a person, and answer; again, if it asks again.

        An answer that comes before the executor has let go of the task, sooner than any
        person's, makes Airflow try the task anew.
        """
        path = f"/dags/{self.dag}/dagRuns/{run_id}/taskInstances/{task_id}"
        answered = 0

        def is_over() -> bool:
            nonlocal answered
            task = self.get(path)
            if task["state"] == "awaiting_input" and task["try_number"] > answered:
                self._client.patch(
                    f"/api/v2{path}/-1/hitlDetails",
                    json={"chosen_options": [option], "params_input": {}},
                ).raise_for_status()
                answered = task["try_number"]
            return task["state"] in ("success", "failed", "skipped", "upstream_failed")

        until(is_over, f"the question of {task_id}, and its end")

    def asked(self, run_id: str, task_id: str) -> Json:
        """Return what a task asks a person."""
        found: Json = self.get(
            f"/dags/{self.dag}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        )
        return found

    def clear(
        self,
        run_id: str,
        task_ids: list[str] | None = None,
        *,
        downstream: bool = False,
    ) -> None:
        """Clear a run, or some of its tasks, with or without what follows them."""
        body: Json = {"dry_run": False, "only_failed": False, "dag_run_id": run_id}
        if task_ids:
            body |= {"task_ids": task_ids, "include_downstream": downstream}
        self.post(f"/dags/{self.dag}/clearTaskInstances", body).raise_for_status()

    def backfill(
        self,
        start: datetime,
        end: datetime,
        reprocess: str = "completed",
        *,
        backwards: bool = False,
    ) -> Json:
        """Start a backfill over an interval; return it."""
        body = {
            "dag_id": self.dag,
            "from_date": start.isoformat(),
            "to_date": end.isoformat(),
            "reprocess_behavior": reprocess,
            "run_backwards": backwards,
        }
        found: Json = self.post("/backfills", body).raise_for_status().json()
        return found

    def backfilled(self, backfill: Json) -> Json:
        """Wait until a backfill is over; return it."""

        def look() -> Json | None:
            found: Json = self.get(f"/backfills/{backfill['id']}")
            return found if found["completed_at"] else None

        return until(look, "the end of the backfill", seconds=400)

    def mark(self, run_id: str, state: str, task_id: str | None = None) -> None:
        """Mark a run, or one of its tasks, as success or failed."""
        path = f"/dags/{self.dag}/dagRuns/{run_id}"
        body: Json = {"state": state}
        if task_id:
            path += f"/taskInstances/{task_id}"
            body = {"new_state": state}
        self._client.patch(f"/api/v2{path}", json=body).raise_for_status()

    def delete(self, run_id: str) -> None:
        """Delete a run."""
        path = f"/api/v2/dags/{self.dag}/dagRuns/{run_id}"
        self._client.delete(path).raise_for_status()

    def pause(self, *, paused: bool) -> None:
        """Pause the DAG, or let it run again."""
        self._client.patch(
            f"/api/v2/dags/{self.dag}", json={"is_paused": paused}
        ).raise_for_status()

    def connect(self, name: str, **fields: Any) -> None:
        """Make a Connection, or make it anew."""
        self._client.delete(f"/api/v2/connections/{name}")
        body = {"connection_id": name, **fields}
        self.post("/connections", body).raise_for_status()

    def asset_events(self, run_id: str) -> dict[str, Json]:
        """Return what a run's tasks said of their assets, by the assets' names."""
        found = self.get("/assets/events", source_run_id=run_id, limit=100)
        return {event["name"]: event["extra"] for event in found["asset_events"]}
