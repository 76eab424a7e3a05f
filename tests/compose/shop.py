"""What a person and the order service do with the running containers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from palate.errors import PromiseBrokenError
from tests.compose.containers import Containers, until
from tests.e2e.airflow_api import AirflowApi

_FOLDER = Path(__file__).parent
_HERE = "127.0.0.1"


class Shop:
    """The stack, seen through its doors: the command, the API, SQL."""

    def __init__(self, stack: Containers) -> None:
        """Describe it."""
        self.stack = stack

    def palate(self, *words: str) -> str:
        """Run a `palate` command, as `docker compose run --rm palate ...` does."""
        return self.stack.run("palate", *words)

    def kafka(self, tool: str, *words: str, codes: tuple[int, ...] = (0,)) -> str:
        """Run a tool of Kafka's as `docker compose exec kafka` does.

        :param codes: with which it may end
        """
        path = f"/opt/kafka/bin/{tool}"
        return self.stack.run("kafka", path, *words, codes=codes, bare=True)

    def visit(self, bootstrap: str, protocol: str, **options: str) -> dict[str, Any]:
        """Return what somebody in the network can do at one door of Kafka, and see.

        :param options: of librdkafka, such as a login; a dot is an underscore
        """
        given = {"bootstrap.servers": bootstrap, "security.protocol": protocol}
        given |= {name.replace("_", "."): value for name, value in options.items()}
        script = (_FOLDER / "visitor.py").read_text()
        said = self.stack.run("init", "python", "-c", script, json.dumps(given))
        found: dict[str, Any] = json.loads(said)
        return found

    def _status(self) -> dict[str, Any]:
        # Late messages are no failure here: a worker is killed, or all is stopped.
        late = PromiseBrokenError.exit_code
        found = self.stack.run("palate", "status", "--json", codes=(0, late))
        status: dict[str, Any] = json.loads(found)
        return status

    def _logs(self) -> list[dict[str, Any]]:
        logs: list[dict[str, Any]] = self._status()["logs"]
        return logs

    def is_watched(self) -> bool:
        """Return whether the watch has looked lately."""
        return bool(self._status()["freshness"]["is_watched"])

    def enter_dictionaries(self) -> None:
        """Write the entries of all guests and restaurants."""
        self.palate("simulate", "dictionaries")

    def send(self, orders: int) -> None:
        """Send orders of the last week, with all difficulties on."""
        self.palate("simulate", "history", "--orders", str(orders), "--demo")

    def check(self, seconds: int = 400) -> None:
        """See that all that was sent is staged once, and the marts are what follows.

        :raises AssertionError: if that isn't so in time
        """

        def is_counted() -> bool:
            logs = self._logs()
            return bool(logs) and all(log["lag"] == 0 for log in logs)

        until(is_counted, "all messages in the marts", seconds)
        found = self.palate("simulate", "truth", "--compare", "--wait", "60", "--json")
        assert json.loads(found)["equal"]
        self.palate("reconcile")
        ends = {
            (log["topic"], log["partition"]): log["end_offset"]
            for log in self._logs()
            if log["end_offset"]
        }
        with self.dwh() as conn:
            staged = {
                (topic, partition): number
                for topic, partition, number in conn.execute(
                    "SELECT topic, kafka_partition, count(*) FROM stg.order_events"
                    " WHERE topic IN (SELECT topic FROM ops.topics)"
                    " GROUP BY topic, kafka_partition"
                )
            }
        assert staged == ends

    @contextmanager
    def dwh(self) -> Iterator[psycopg.Connection[Any]]:
        """Connect to the warehouse as its owner."""
        dsn = self._secret("owner", "owner.env")["DWH_DSN"]
        with psycopg.connect(_from_here(dsn), autocommit=True) as conn:
            yield conn

    @contextmanager
    def metadata(self) -> Iterator[psycopg.Connection[Any]]:
        """Connect to Airflow's own database."""
        name = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
        uri = self._secret("airflow", "airflow.env")[name].replace("+psycopg2", "")
        with psycopg.connect(_from_here(uri), autocommit=True) as conn:
            yield conn

    @contextmanager
    def airflow(self) -> Iterator[AirflowApi]:
        """Log in to Airflow."""
        path = self.stack.volume("secrets-airflow") / "passwords.json"
        password = json.loads(path.read_text())["admin"]
        api = AirflowApi("http://localhost:8080", "admin", password)
        try:
            yield api
        finally:
            api.close()

    def hosts_of_running_tasks(self) -> list[str]:
        """Return on which workers tasks run right now."""
        with self.metadata() as conn:
            rows = conn.execute(
                "SELECT hostname FROM task_instance WHERE state = 'running'"
            ).fetchall()
        return [host for (host,) in rows if host]

    def hosts_of_all_tasks(self) -> set[str]:
        """Return on which workers tasks have run."""
        with self.metadata() as conn:
            rows = conn.execute(
                "SELECT DISTINCT hostname FROM task_instance WHERE hostname <> ''"
            ).fetchall()
        return {host for (host,) in rows}

    def slots_of_tasks(self, run_type: str) -> set[int]:
        """Return how many slots of the pool the tasks of a kind of run take.

        A tick that has run before keeps its name when a backfill runs it again.
        """
        with self.metadata() as conn:
            rows = conn.execute(
                "SELECT DISTINCT pool_slots FROM task_instance"
                " WHERE starts_with(run_id, %s)",
                (f"{run_type}__",),
            ).fetchall()
        return {slots for (slots,) in rows}

    def _secret(self, volume: str, file: str) -> dict[str, str]:
        text = (self.stack.volume(f"secrets-{volume}") / file).read_text()
        return dict(line.split("=", maxsplit=1) for line in text.splitlines())


def _from_here(dsn: str) -> str:
    """Return the address for who doesn't know the containers' names."""
    return dsn.replace("@postgres:", f"@{_HERE}:").partition("?")[0]
