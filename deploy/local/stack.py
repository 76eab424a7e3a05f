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
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import jinja2

from deploy.local import kafka, postgres, redis_server
from deploy.local.errors import StackError
from deploy.local.ports import HOST, Ports, refuse_taken
from deploy.local.secrets import Secrets, write_private
from deploy.local.supervision import Program, State, Supervisor

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701 - configuration files, no HTML
)
_SERVICES = ("postgres", "redis", "kafka")
_SECONDS_TO_ANSWER = 90

Report = Callable[[str], None]


def _silent(_line: str) -> None:
    pass


class Stack:
    """The services (and Airflow) of one state folder."""

    def __init__(self, var: Path, ports: Ports | None = None) -> None:
        """Describe the stack; nothing is started or written.

        :param var: where all state lies
        :param ports: without, those it was last started with, or the defaults
        """
        self.var = var.resolve()
        self.ports = ports or Ports.read(self.var / "ports.json") or Ports()
        self.supervisor = Supervisor(self.var)

    def up_services(self, report: Report = _silent) -> None:
        """Start PostgreSQL, Redis and Kafka and wait until each answers.

        What runs already is left alone. The first call makes the cluster, the
        databases, the topics and the passwords.

        :param report: gets a line per part
        :raises StackError: if something is missing, a port is taken, or a part doesn't
            answer; then nothing runs that didn't run before
        """
        with self._lock(), self._undone_on_error():
            self._prepare()
            self.supervisor.start_group("services")
            self._wait_for(
                {
                    "postgres": self._postgres_answers,
                    "redis": self._redis_answers,
                    "kafka": self._kafka_answers,
                },
                report,
            )

    def down(self, *, wipe: bool = False) -> None:
        """Stop everything and wait until it is gone.

        :param wipe: remove the data and the state folder too
        """
        if not self.var.exists():
            return
        with self._lock():
            if self.supervisor.is_up():
                self.supervisor.stop_group("services")
                self.supervisor.shut_down()
            if wipe:
                postgres.wipe(self.var)
                shutil.rmtree(self.var)

    def states(self) -> list[State]:
        """Return what each program does; nothing if the stack is down."""
        if not self.supervisor.is_up():
            return []
        return list(self.supervisor.states().values())

    def env(self) -> dict[str, str]:
        """Return where the services are, under the names that Palate's settings have."""
        secrets = self._secrets()
        return {
            "DWH_DSN": postgres.dsn(
                self.ports.postgres, "palate", secrets.palate, "dwh"
            ),
            "KAFKA_BOOTSTRAP": f"{HOST}:{self.ports.kafka}",
            "REDIS_URL": f"redis://:{secrets.redis}@{HOST}:{self.ports.redis}/0",
        }

    def _prepare(self) -> None:
        if self.supervisor.is_up():
            running = Ports.read(self.var / "ports.json")
            if running != self.ports:
                raise StackError(
                    f"The stack in {self.var} runs on other ports ({running}). "
                    "Stop it first: make down"
                )
            down = [s.name for s in self.states() if not s.is_up]
            refuse_taken(self.ports, tuple(n for n in _SERVICES if n in down))
            return
        refuse_taken(self.ports, (*_SERVICES, "kafka_controller"))
        kafka.fetch_jars()
        (self.var / "log").mkdir(parents=True, exist_ok=True)
        self._secrets()  # made here, before several threads ask for them
        self.ports.write(self.var / "ports.json")
        with ThreadPoolExecutor() as pool:
            for one in [
                pool.submit(self._prepare_postgres),
                pool.submit(self._prepare_kafka),
                pool.submit(self._prepare_redis),
            ]:
                one.result()
        self._write_supervisor_configuration()
        lines = [f"{name}={value}\n" for name, value in self.env().items()]
        write_private(self.var / "stack.env", "".join(lines))
        self.supervisor.start(_environment())

    def _prepare_postgres(self) -> None:
        settings = _render("postgresql.conf", port=self.ports.postgres)
        postgres.prepare(self.var, settings, self._secrets().postgres)

    def _prepare_kafka(self) -> None:
        settings = _render(
            "server.properties",
            port=self.ports.kafka,
            controller_port=self.ports.kafka_controller,
            folder=kafka.log_folder(self.var),
        )
        kafka.prepare(self.var, settings)

    def _prepare_redis(self) -> None:
        folder = self.var / "redis"
        folder.mkdir(exist_ok=True)
        settings = _render(
            "redis.conf",
            port=self.ports.redis,
            password=self._secrets().redis,
            folder=folder,
        )
        write_private(folder / "redis.conf", settings)

    def _write_supervisor_configuration(self) -> None:
        programs = [
            Program(
                name="postgres",
                group="services",
                command=[
                    str(postgres.programs() / "postgres"),
                    "-D",
                    str(postgres.data_folder(self.var)),
                ],
                user=postgres.server_user(),
                stop_signal="INT",  # "fast": sessions are ended, data are flushed
                stop_seconds=60,
            ),
            Program(
                name="redis",
                group="services",
                command=redis_server.command(self.var / "redis" / "redis.conf"),
            ),
            Program(
                name="kafka",
                group="services",
                command=kafka.command(self.var),
                stop_seconds=60,
            ),
        ]
        groups: dict[str, list[str]] = {}
        for one in programs:
            groups.setdefault(one.group, []).append(one.name)
        text = _render(
            "supervisord.conf",
            var=self.var,
            socket=self.supervisor.socket,
            root=os.geteuid() == 0,
            programs=programs,
            groups=groups,
        )
        write_private(self.supervisor.configuration, text)

    def _postgres_answers(self) -> bool:
        secrets = self._secrets()
        dsn = self.env()["DWH_DSN"]
        if postgres.answers(dsn):
            return True
        superuser = postgres.dsn(
            self.ports.postgres, "postgres", secrets.postgres, "postgres"
        )
        if not postgres.answers(superuser):
            return False
        passwords = {"palate": secrets.palate, "airflow": secrets.airflow}
        postgres.make_databases(self.ports.postgres, secrets.postgres, passwords)
        return postgres.answers(dsn)

    def _redis_answers(self) -> bool:
        return redis_server.answers(self.env()["REDIS_URL"])

    def _kafka_answers(self) -> bool:
        bootstrap = self.env()["KAFKA_BOOTSTRAP"]
        if not kafka.answers(bootstrap):
            return False
        kafka.make_topics(bootstrap)
        return True

    def _wait_for(
        self, parts: dict[str, Callable[[], bool]], report: Report, group: str = "services"
    ) -> None:
        start = time.monotonic()
        waiting = dict(parts)
        while waiting:
            for name, answers in list(waiting.items()):
                if answers():
                    del waiting[name]
                    report(f"{name:<24} answers  {time.monotonic() - start:5.1f} s")
            states = self.supervisor.states()
            for name in waiting:
                dead = not states[f"{group}:{name}"].is_up
                if dead or time.monotonic() - start > _SECONDS_TO_ANSWER:
                    raise StackError(
                        f"{name} doesn't answer. The end of {self.var}/log/{name}.log:\n"
                        f"{self.supervisor.last_lines(name)}"
                    )
            time.sleep(0.1 if waiting else 0)

    def _secrets(self) -> Secrets:
        return Secrets.load(self.var / "secrets.json")

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Let one command at a time change this stack."""
        self.var.mkdir(parents=True, exist_ok=True)
        with (self.var / "stack.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _undone_on_error(self) -> Iterator[None]:
        """Leave nothing half-started, unless it ran before."""
        ran_before = self.supervisor.is_up()
        try:
            yield
        except BaseException:
            if not ran_before and self.supervisor.is_up():
                self.supervisor.shut_down()
            raise


def _render(name: str, **values: object) -> str:
    return _TEMPLATES.get_template(f"{name}.j2").render(**values)


def _environment() -> dict[str, str]:
    """Return this process's environment less what would change how a part behaves."""
    drop = ("AIRFLOW", "PG", "KAFKA_", "JAVA_TOOL_OPTIONS", "SUPERVISOR_")
    return {k: v for k, v in os.environ.items() if not k.startswith(drop)}
