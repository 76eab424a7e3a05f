"""Runs the services of a compose file without an engine, by bubblewrap.

Each container is a process group with its own files, users, processes and host name,
and all share one loopback network: commands, variables, names, ports, volumes and
health checks are those of the file, word by word.
"""

import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.compose.bubble import bubble
from tests.compose.images import image_of, write_accounts

_PATIENCE_SECONDS = 600


@dataclass
class Container:
    """A container that was started: ``airflow-worker-2``, say."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def send(self, number: int) -> None:
        """Send a signal to the process that is number 1 inside, unless it has ended.

        If that one is killed, all others inside are.
        """
        while self.process.poll() is None:
            # It may not be there yet, or end just now.
            with suppress(psutil.NoSuchProcess):
                for child in psutil.Process(self.process.pid).children():
                    child.send_signal(number)
                    return
            time.sleep(0.05)

    def tail(self, lines: int = 40) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class Containers:
    """The containers of one project, as docker-compose has configured it."""

    def __init__(self, project: dict[str, Any], folder: Path) -> None:
        """Describe them; nothing is started.

        :param folder: for volumes and logs
        """
        self._services: dict[str, dict[str, Any]] = project["services"]
        self._folder = folder
        self._running: dict[str, Container] = {}
        self._asked: set[str] = set()
        (folder / "log").mkdir()
        self._accounts = write_accounts(folder)
        self._hosts = folder / "hosts"
        own = [
            f"{name}-{number}"
            for name in self._services
            for number in ("run", *range(1, self._replicas(name) + 1))
        ]
        self._hosts.write_text(
            f"127.0.0.1 {' '.join(['localhost', *self._services, *own])}\n"
        )

    def up(self, *names: str) -> None:
        """Start services and what they wait for, in the order of the file.

        :raises AssertionError: if one ends, or isn't healthy in time
        """
        self._asked = set(names)
        waiting = self._needed(names)
        for name in waiting:
            # What waits for one that is done again waits for its new end.
            for one in self._of(name):
                if one.process.poll() is not None:
                    del self._running[one.name]
        deadline = time.monotonic() + _PATIENCE_SECONDS
        healthy: set[str] = set()
        while waiting:
            for name in list(waiting):
                waits = self._waits(name)
                if all(self._holds(*one, healthy) for one in waits.items()):
                    self.start(name)
                    waiting.remove(name)
            assert time.monotonic() < deadline, f"Not started: {waiting}"
            time.sleep(0.2)

    def start(self, name: str) -> None:
        """Start the containers of one service that don't run."""
        for replica in range(1, self._replicas(name) + 1):
            full = f"{name}-{replica}"
            if full in self._running and self._running[full].process.poll() is None:
                continue
            log = self._folder / "log" / f"{full}.log"
            with log.open("ab") as output:
                process = subprocess.Popen(
                    self._line(name, full),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            self._running[full] = Container(full, process, log)

    def run(
        self,
        name: str,
        *command: str,
        codes: tuple[int, ...] = (0,),
        bare: bool = False,
    ) -> str:
        """Run a command in a container of its own, to its end; return what it printed.

        :param codes: with which it may end
        :param bare: without an entrypoint, as `docker compose exec` does it
        :raises AssertionError: if it ends with another code
        """
        done = subprocess.run(
            self._line(name, f"{name}-run", list(command), bare=bare),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        said = f"{name} {command}: {done.returncode} {done.stdout}{done.stderr}"
        assert done.returncode in codes, said
        return done.stdout

    def is_healthy(self, name: str) -> bool:
        """Run the health check of the file, once, for each container of a service."""
        test = self._services[name]["healthcheck"]["test"]
        kind, *words = test
        command = words if kind == "CMD" else ["/bin/sh", "-c", *words]
        return all(
            not subprocess.run(
                self._line(name, f"{name}-{replica}", command, bare=True),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            ).returncode
            for replica in range(1, self._replicas(name) + 1)
        )

    def wait_until_healthy(self, name: str) -> None:
        """Run the health check of the file until it is content.

        :raises AssertionError: if the service ends, or it takes too long
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self.is_healthy(name):
            self.check_running()
            assert time.monotonic() < deadline, f"{name}: {self._of(name)[0].tail()}"
            time.sleep(0.5)

    def names(self) -> list[str]:
        """Return the services that have started and last."""
        once = {name for name in self._services if self._ends(name)}
        return [n for n in self._services if self._of(n) and n not in once]

    def volume(self, name: str) -> Path:
        """Return the folder that is a volume."""
        found = self._folder / "volumes" / name
        found.mkdir(parents=True, exist_ok=True)
        return found

    def stop(self, *names: str) -> None:
        """Stop services by the signal of the file, and after a minute by force."""
        stopped = [one for name in names for one in self._of(name)]
        for name in names:
            number = signal.Signals[self._services[name].get("stop_signal", "SIGTERM")]
            for one in self._of(name):
                one.send(number)
        for one in stopped:
            try:
                one.process.wait(60)
            except subprocess.TimeoutExpired:
                one.send(signal.SIGKILL)
                one.process.wait(10)
            del self._running[one.name]

    def kill(self, full: str) -> None:
        """End a container at once, with all that runs in it."""
        one = self._running.pop(full)
        one.send(signal.SIGKILL)
        one.process.wait(30)

    def kill_all(self) -> None:
        """End everything."""
        for full in list(self._running):
            self.kill(full)

    def check_running(self) -> None:
        """See that no container has ended that should last.

        :raises AssertionError: if one has; with the end of its log
        """
        for one in self._running.values():
            code = one.process.poll()
            service = one.name.rsplit("-", maxsplit=1)[0]
            is_right = code is None or (code == 0 and self._ends(service))
            assert is_right, f"{one.name} ended with {code}:\n{one.tail()}"

    def _needed(self, names: Iterable[str]) -> list[str]:
        found: dict[str, None] = {}

        def add(name: str) -> None:
            for other in self._waits(name):
                add(other)
            found[name] = None

        for name in names:
            add(name)
        return [name for name in found if not self._is_up(name)]

    def _waits(self, name: str) -> dict[str, str]:
        """Return what a service waits for; what isn't required only if asked for."""
        waits = self._services[name].get("depends_on", {})
        return {
            other: one["condition"]
            for other, one in waits.items()
            if one["required"] or other in self._asked
        }

    def _is_up(self, name: str) -> bool:
        found = self._of(name)
        # What ends is done again, as by `docker compose up`.
        return bool(found) and all(one.process.poll() is None for one in found)

    def _holds(self, name: str, condition: str, healthy: set[str]) -> bool:
        found = self._of(name)
        if not found:
            return False
        self.check_running()
        if condition == "service_completed_successfully":
            return all(one.process.poll() == 0 for one in found)
        if condition == "service_healthy" and name not in healthy:
            if not self.is_healthy(name):
                return False
            healthy.add(name)
        return True

    def _ends(self, name: str) -> bool:
        return bool(self._services[name].get("restart") == "no")

    def _of(self, name: str) -> list[Container]:
        pattern = re.compile(rf"{re.escape(name)}-\d+")
        return [one for n, one in self._running.items() if pattern.fullmatch(n)]

    def _replicas(self, name: str) -> int:
        found: int = self._services[name].get("deploy", {}).get("replicas", 1)
        return found

    def _line(
        self,
        name: str,
        host: str,
        command: list[str] | None = None,
        *,
        bare: bool = False,
    ) -> list[str]:
        """Return the command line that makes a container of a service.

        :param command: instead of that of the file
        :param bare: without an entrypoint, as a health check runs
        """
        service = self._services[name]
        image = image_of(service["image"], self._folder)
        entrypoint = [] if bare else service.get("entrypoint") or image.entrypoint
        words = [*entrypoint, *(command or service.get("command") or image.command)]
        volumes = [
            (self.volume(one["source"]), one["target"], bool(one.get("read_only")))
            for one in service.get("volumes", [])
        ]
        return bubble(
            image,
            service,
            host,
            volumes,
            {"/etc/hosts": self._hosts, "/etc/passwd": self._accounts},
            words,
        )


@contextmanager
def containers(project: dict[str, Any], folder: Path) -> Iterator[Containers]:
    """Give the containers of a project, and end them all."""
    found = Containers(project, folder)
    try:
        yield found
    finally:
        found.kill_all()


def until(holds: Callable[[], bool], what: str, seconds: float = 300) -> None:
    """Look until something holds.

    :raises AssertionError: if it doesn't in time
    """
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"Not within {seconds:g} s: {what}"
        time.sleep(0.5)
