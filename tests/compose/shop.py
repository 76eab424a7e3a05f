"""What a person and the order service do with the running containers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from palate.errors import PromiseBrokenError, StageBusyError
from palate.names import DICTIONARY_FEED, REPLAY_FEED
from tests.compose.containers import Containers, until
from tests.e2e.airflow_api import AirflowApi

_FOLDER = Path(__file__).parent
_HERE = "127.0.0.1"
# Logs that no broker has.
_FEEDS = {DICTIONARY_FEED, REPLAY_FEED}


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

    def has_looked(self, since: datetime) -> bool:
        """Return whether the watch has looked since then."""
        looked = self._status()["freshness"]["watched_dt"]
        return bool(looked) and datetime.fromisoformat(looked) > since

    def enter_dictionaries(self) -> None:
        """Write the entries of all guests and restaurants."""
        self.palate("simulate", "dictionaries")

    def send(self, orders: int) -> None:
        """Send orders of the last week, with all difficulties on."""
        self.palate("simulate", "history", "--orders", str(orders), "--demo")

    def check(self) -> None:
        """See that all that was sent is staged once, and the marts are what follows.

        Nobody may send meanwhile. Runs may go on: what they read late of dictionaries,
        or tag, is waited for.

        :raises AssertionError: if that isn't so in time
        """
        logs = self._counted()
        found = self.palate("simulate", "truth", "--compare", "--wait", "300", "--json")
        assert json.loads(found)["equal"]
        until(self._is_reconciled, "marts that can be compared")
        ends = {
            (log["topic"], log["partition"]): log["end_offset"]
            for log in logs
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

    def _counted(self) -> list[dict[str, Any]]:
        """Wait until the broker tells of every log and all is in the marts."""
        logs: list[dict[str, Any]] = []

        def is_counted() -> bool:
            logs[:] = self._status()["logs"]
            of_broker = [log for log in logs if log["topic"] not in _FEEDS]
            # If the broker doesn't answer, only what is staged counts as lag.
            is_seen = all(log["end_offset"] is not None for log in of_broker)
            return bool(of_broker) and is_seen and not any(log["lag"] for log in logs)

        until(is_counted, "all messages in the marts", seconds=1_200)
        return logs

    def _is_reconciled(self) -> bool:
        """Compare the marts; return False if too much waits to do so."""
        busy = StageBusyError.exit_code
        said = self.stack.run("palate", "reconcile", "--json", codes=(0, busy))
        return all(one["differences"] == 0 for one in json.loads(said).values())

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
