"""One stack: real services on loopback ports, all state in one folder.

For tests::

    stack = Stack(tmp_path, Ports.free())
    stack.up_services()
    try:
        ...  # stack.env() has DWH_DSN, KAFKA_BOOTSTRAP, REDIS_URL
    finally:
        stack.down(wipe=True)

The services outlive the process that started them. If a test run is killed, end them by
``PALATE_VAR=<folder> make down``.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import quote

from pydantic import SecretStr

from deploy.local import (
    airflow_server,
    flights,
    intake,
    kafka,
    postgres,
    redis_server,
)
from deploy.local.areas import PARTS as PARTS_OF_AREAS
from deploy.local.areas import area_of, named
from deploy.local.certificates import Authority
from deploy.local.cluster import Cluster
from deploy.local.errors import NotYetError, StackError
from deploy.local.ports import HOST, Ports, refuse_taken
from deploy.local.programs import AIRFLOW, PARTS, PORTS, SERVICES, configure_supervisor
from deploy.local.secrets import Secrets, write_private
from deploy.local.signals import Signals
from deploy.local.supervision import State, Supervisor, cpu_seconds, end_leftovers
from palate.settings import Settings

# A part that got no CPU second for so long will not answer any more.
_SECONDS_TO_WORK = 300
_SECONDS_TO_ANSWER = 1_800
# What a stack writes into its folder, beside the supervisor's own files.
_PRIVATE = ("redis", "kafka", "airflow", "log", "tls", "connect", "intake")
_CLUSTERS = (Cluster.name, "airline", "airline-standby")
_FOLDERS = (*_CLUSTERS, *_PRIVATE)
_FILES = (
    "ports.json",
    "secrets.json",
    "stack.env",
    "secured.env",
    "airflow.env",
    "stack.lock",
)

Report = Callable[[str], None]


def _silent(_line: str) -> None:
    pass


class Stack:
    """The services (and Airflow) of one state folder."""

    def __init__(
        self,
        var: Path,
        ports: Ports | None = None,
        signals: Signals | None = None,
        *,
        areas: str = "",
    ) -> None:
        """Keep the paths; nothing is started or written.

        :param var: the folder of all state
        :param ports: default: those it was last started with, or the default ones
        :param signals: who receives metrics and lineage; default: nobody
        :param areas: those that are on, by comma; with ``flights`` its source is
            started, too, with ``files`` the service that takes them
        """
        self.var = var.resolve()
        self.ports = ports or Ports.read(self.var / "ports.json") or Ports()
        self.signals = signals or Signals()
        self.supervisor = Supervisor(self.var)
        self.authority = Authority(self.var / "tls")
        self._areas = named(areas)

    def up_services(self, report: Report = _silent) -> None:
        """Start PostgreSQL, Redis and Kafka and wait until each answers.

        Where the stack is to have flights, their source as well.

        What runs already is left alone. The first call creates the cluster, the
        databases, the topics and the passwords.

        :param report: gets a line per part
        :raises StackError: if something is missing, a port is taken, or a part doesn't
            run; then nothing runs that didn't run before
        :raises NotYetError: if a part runs and doesn't answer; it is left running
        """
        with self._lock(), self._undone_on_error():
            self._check_ports(SERVICES, *flights.PARTS)
            self._start_services(report)

    def up_airflow(self, report: Report = _silent) -> None:
        """Start everything: the services, the warehouse's tables, Airflow.

        :param report: gets a line per part
        :raises StackError: as for ``up_services``
        """
        with self._lock(), self._undone_on_error():
            last = (intake.NAME, AIRFLOW)
            self._check_ports(SERVICES, *flights.PARTS, *last)
            self._start_services(report)
            if not all(s.is_up for s in self.states() if s.group in last):
                self._migrate_warehouse(report)
                self._start_intake(report)
                start = time.monotonic()
                airflow_server.prepare(
                    self.var,
                    self.ports,
                    self._secrets(),
                    self.signals,
                    self._areas_env(),
                )
                report(_line("airflow db migrate", "done", time.monotonic() - start))
                self.supervisor.start_group(AIRFLOW)
            for group in last:
                self._wait_until_answering(group, report)

    def down(self, *, wipe: bool = False) -> None:
        """Stop everything and wait until it has ended.

        :param wipe: remove the data too, and the state folder unless others use it
        """
        if not self.var.exists():
            return
        with self._lock():
            if self.supervisor.is_up():
                self.supervisor.shut_down()
            end_leftovers(airflow_server.work_folder(self.var))
            if wipe:
                self._wipe()

    def env(self) -> dict[str, str]:
        """Return the content of ``stack.env``: the services' addresses, the login."""
        secrets, ports = self._secrets(), self.ports
        return {
            "DWH_DSN": postgres.dsn(ports.postgres, "palate", secrets.palate, "dwh"),
            "KAFKA_BOOTSTRAP": f"{HOST}:{ports.kafka}",
            "REDIS_URL": f"redis://:{secrets.redis}@{HOST}:{ports.redis}/0",
            "AIRFLOW_URL": airflow_server.url(ports),
            "AIRFLOW_USER": airflow_server.USER,
            "AIRFLOW_PASSWORD": secrets.admin,
            **self._areas_env(),
            **(flights.simulator_env(ports, secrets) if self.has("flights") else {}),
        }

    def _areas_env(self) -> dict[str, str]:
        """Return what the tasks of areas need that have parts of their own."""
        found: dict[str, str] = {}
        if self.has("flights"):
            found |= flights.env(self.ports, self._secrets())
        if self.has("files"):
            found |= intake.env(self.var, self.ports)
        return {"PALATE_AREAS": ",".join(self._areas), **found} if found else {}

    def secured_env(self) -> dict[str, str]:
        """Return the content of ``secured.env``: Kafka and Redis by TLS and login."""
        secrets, ports, authority = self._secrets(), self.ports, self.authority
        redis = f"rediss://:{secrets.redis}@{HOST}:{ports.redis_secured}/0"
        return {
            "KAFKA_BOOTSTRAP": f"{HOST}:{ports.kafka_secured}",
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SASL_USERNAME": kafka.USER,
            "KAFKA_SASL_PASSWORD": secrets.kafka,
            "KAFKA_SSL_CA_LOCATION": str(authority.certificate),
            "REDIS_URL": f"{redis}?ssl_ca_certs={quote(str(authority.certificate))}",
        }

    def states(self) -> list[State]:
        """Return the state of each program, all of them stopped if the stack is."""
        states = self.supervisor.states() if self.supervisor.is_up() else {}
        # A stack that an older version started may lack one.
        return [
            states.get(name, State(name, group, "DOWN"))
            for name, group in PARTS.items()
            if (area := area_of(name)) is None or self.has(area)
        ]

    def has(self, area: str) -> bool:
        """Return whether it runs with the parts of an area, or would."""
        if self.supervisor.is_up():
            return set(PARTS_OF_AREAS[area]) <= self.supervisor.states().keys()
        return area in self._areas

    def answers(self, part: str) -> bool:
        """Return whether the part works.

        :param part: the name of a program, such as ``postgres`` or ``scheduler``
        """
        return self._checks()[part]()

    def _checks(self) -> dict[str, Callable[[], bool]]:
        env = self.env()
        healthy = partial(airflow_server.answers, self.ports)
        return {
            "postgres": lambda: postgres.answers(env["DWH_DSN"]),
            "redis": lambda: redis_server.answers(env["REDIS_URL"]),
            "kafka": lambda: kafka.answers(env["KAFKA_BOOTSTRAP"]),
            **flights.checks(self.ports, self._secrets()),
            intake.NAME: lambda: intake.answers(self.ports),
            "api-server": lambda: healthy("metadatabase"),
            "scheduler": lambda: healthy("scheduler"),
            "dag-processor": lambda: healthy("dag_processor"),
            "triggerer": lambda: healthy("triggerer"),
            "watch": lambda: airflow_server.is_watching(
                Settings(dwh_dsn=SecretStr(env["DWH_DSN"]))
            ),
        }

    def _check_ports(self, *groups: str) -> None:
        if self.supervisor.is_up():
            last = Ports.read(self.var / "ports.json")
            if last != self.ports:
                raise StackError(
                    f"The stack in {self.var} runs on other ports: {last}. "
                    "Stop it first: make down"
                )
            for area in PARTS_OF_AREAS:
                if area in self._areas and not self.has(area):
                    raise StackError(
                        f"The stack in {self.var} runs without the area {area}. "
                        "Stop it first: make down"
                    )
        for one in self.states():
            if one.group in groups and not one.is_up:
                refuse_taken(self.ports, PORTS.get(one.name, []))

    def _start_services(self, report: Report) -> None:
        if not self.supervisor.is_up():
            end_leftovers(airflow_server.work_folder(self.var))
            self._prepare_services(report)
            self.supervisor.start(_environment())
        self.supervisor.start_group(SERVICES)
        self._wait_until_answering(SERVICES, report)
        if self.has("flights"):
            for part in flights.PARTS:
                flights.prepare_part(part, self.var, self.ports, self._secrets())
                self.supervisor.start_group(part)
                self._wait_until_answering(part, report)

    def _prepare_services(self, report: Report) -> None:
        var, ports, secrets = self.var, self.ports, self._secrets()
        start = time.monotonic()
        kafka.JARS.fetch(report)
        if "flights" in self._areas:
            flights.fetch(report)
        (var / "log").mkdir(exist_ok=True)
        airflow_server.work_folder(var).mkdir(parents=True, exist_ok=True)
        self.authority.prepare()
        with ThreadPoolExecutor() as pool:
            # Both take a second or two, the first time.
            cluster = pool.submit(
                postgres.prepare, var, ports.postgres, secrets.postgres
            )
            kafka.prepare(var, ports, self.authority, secrets)
            cluster.result()
        redis_server.prepare(var, ports, self.authority, secrets)
        if "flights" in self._areas:
            flights.prepare(var, ports, secrets)
        configure_supervisor(self.supervisor, var, self._areas)
        for name in _PRIVATE:
            if (var / name).exists():
                (var / name).chmod(0o700)
        ports.write(var / "ports.json")
        for file, env in (("stack", self.env()), ("secured", self.secured_env())):
            lines = [f"{name}={value}\n" for name, value in env.items()]
            write_private(var / f"{file}.env", "".join(lines))
        report(_line("data folders", "ready", time.monotonic() - start))

    def _migrate_warehouse(self, report: Report) -> None:
        start = time.monotonic()
        done = subprocess.run(
            [str(Path(sys.executable).with_name("palate")), "migrate"],
            env={**os.environ, **self.env()},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise StackError(f"`palate migrate` failed:\n{done.stdout.strip()}")
        report(_line("palate migrate", "done", time.monotonic() - start))

    def _start_intake(self, report: Report) -> None:
        if not self.has("files"):
            return
        start = time.monotonic()
        intake.prepare(self.var, self.ports, self._secrets())
        report(_line("intake prepare", "done", time.monotonic() - start))
        self.supervisor.start_group(intake.NAME)

    def _wait_until_answering(self, group: str, report: Report) -> None:
        start = looked = time.monotonic()
        checks = self._checks()
        waiting = [one.name for one in self.states() if one.group == group]
        worked = self._work(waiting)
        while waiting:
            for name in list(waiting):
                if name == "postgres":
                    self._make_databases()
                if checks[name]():
                    if name == "kafka":
                        kafka.make_topics(
                            kafka.TOPICS,
                            bootstrap_servers=self.env()["KAFKA_BOOTSTRAP"],
                        )
                    waiting.remove(name)
                    report(_line(name, "answers", time.monotonic() - start))
            for one in self.states():
                if one.name in waiting and not one.is_up:
                    raise StackError(
                        f"{one.name} doesn't run. {self._log_of(one.name)}"
                    )
            if waiting and time.monotonic() - looked > _SECONDS_TO_WORK:
                # On a busy machine it may take longer, but makes progress.
                before, worked = worked, self._work(waiting)
                if worked - before < 1 or time.monotonic() - start > _SECONDS_TO_ANSWER:
                    raise NotYetError(
                        f"{waiting[0]} doesn't answer after "
                        f"{time.monotonic() - start:.0f} s. All parts were left "
                        "running: `make status` shows them, `make up` waits for them "
                        f"again, `make down` stops them. {self._log_of(waiting[0])}"
                    )
                looked = time.monotonic()
            time.sleep(0.1 if waiting else 0)

    def _work(self, names: list[str]) -> float:
        """Return how many CPU seconds these parts have used."""
        return sum(cpu_seconds(s.pid) for s in self.states() if s.name in names)

    def _log_of(self, name: str) -> str:
        return (
            f"{self.var}/log/{name}.log ends with:\n{self.supervisor.last_lines(name)}"
        )

    def _make_databases(self) -> None:
        secrets = self._secrets()
        superuser = postgres.dsn(
            self.ports.postgres, "postgres", secrets.postgres, "postgres"
        )
        passwords, databases = postgres.role_passwords(secrets), postgres.DATABASES
        if self.has("flights"):
            databases = databases | flights.DATABASES
            passwords["mart"] = secrets.mart
        postgres.make_databases(superuser, passwords, databases)

    def _wipe(self) -> None:
        """Remove what a stack creates, and nothing else: the folder is the caller's."""
        for name in _CLUSTERS:
            Cluster(self.var, name).wipe()
        for name in _FOLDERS:
            shutil.rmtree(self.var / name, ignore_errors=True)
        for name in _FILES:
            (self.var / name).unlink(missing_ok=True)
        for path in self.var.glob("supervisor*"):
            path.unlink()
        with suppress(OSError):  # not empty
            self.var.rmdir()

    def _secrets(self) -> Secrets:
        return Secrets.load(self.var / "secrets.json")

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Let one command at a time change this stack."""
        self.var.mkdir(parents=True, exist_ok=True)
        # Others may go through it: PostgreSQL's account has its folder below.
        self.var.chmod(self.var.stat().st_mode & ~0o066)
        with (self.var / "stack.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _undone_on_error(self) -> Iterator[None]:
        """Stop what was started if the body fails, unless it ran before."""
        ran_before = self.supervisor.is_up()
        try:
            yield
        except NotYetError:
            raise
        except BaseException:
            if not ran_before and self.supervisor.is_up():
                self.supervisor.shut_down()
            raise


def _line(part: str, what: str, seconds: float) -> str:
    return f"{part:<20} {what:<10} {seconds:5.1f} s"


def _environment() -> dict[str, str]:
    """Return this process's environment without what would change a part."""
    drop = ("AIRFLOW", "PG", "KAFKA_", "JAVA_TOOL_OPTIONS", "SUPERVISOR_")
    return {k: v for k, v in os.environ.items() if not k.startswith(drop)}
