"""supervisord: its configuration, its start, and its answers over its socket."""

import os
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from supervisor.states import RUNNING_STATES, getProcessStateDescription
from supervisor.xmlrpc import Faults, SupervisorTransport

from deploy.local.errors import StackError

# The longest path of a unix socket (107 bytes), less the suffix that supervisord adds
# while it creates the socket.
_LONGEST_SOCKET = 95
_SECONDS_TO_END = 300


@dataclass(frozen=True)
class Program:
    """One process that supervisord keeps running."""

    name: str
    group: str
    command: Sequence[str]
    user: str | None = None
    stop_signal: str = "TERM"
    stop_seconds: int = 30
    stop_as_group: bool = False
    directory: Path = Path("/")
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """The command as supervisord reads it.

        If supervisord itself is killed, the kernel ends the program: otherwise it would
        hold its port, unsupervised.
        """
        line = shlex.join(
            [
                *("setpriv", "--pdeathsig", self.stop_signal, "--"),
                *("env", *(f"{k}={v}" for k, v in self.environment.items())),
                *self.command,
            ]
        )
        return line.replace("%", "%%")


@dataclass(frozen=True)
class State:
    """What supervisord knows about a program."""

    name: str
    group: str
    state: str
    pid: int = 0
    seconds: int = 0

    @property
    def is_up(self) -> bool:
        """Whether it runs or is being (re)started."""
        return self.state in {getProcessStateDescription(s) for s in RUNNING_STATES}


class Supervisor:
    """The supervisor of one state folder."""

    def __init__(self, var: Path) -> None:
        """Refuse a state folder whose path is too long for a socket.

        :raises StackError: if it is
        """
        self.configuration = var / "supervisord.conf"
        self.socket = var / "supervisor.sock"
        self._log = var / "log"
        if len(os.fsencode(self.socket)) > _LONGEST_SOCKET:
            raise StackError(
                f"The path {var} is too long for a control socket. "
                "Choose a shorter state folder: PALATE_VAR=<folder>"
            )

    def is_up(self) -> bool:
        """Return whether supervisord answers."""
        try:
            return bool(self._call("getState"))
        except OSError:
            return False

    def start(self, environment: dict[str, str]) -> None:
        """Start supervisord in the background; it starts no program yet.

        :param environment: of supervisord and its programs
        :raises StackError: if it doesn't answer within 10 s
        """
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "supervisor.supervisord",
                f"--configuration={self.configuration}",
            ],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        deadline = time.monotonic() + 10
        while not self.is_up():
            if done.returncode or time.monotonic() > deadline:
                raise StackError(f"supervisord doesn't start: {done.stderr.strip()}")
            time.sleep(0.05)

    def start_group(self, group: str) -> None:
        """Start the programs of a group that don't run; don't wait for them."""
        for one in self.states().values():
            if one.group == group and not one.is_up:
                self._call("startProcess", f"{group}:{one.name}", False)

    def stop(self, name: str) -> None:
        """Stop one program and wait; starting its group brings it back."""
        self._call("stopProcess", f"{self.states()[name].group}:{name}")

    def shut_down(self) -> None:
        """Stop all programs, then supervisord, and wait until it has ended.

        :raises StackError: if it still runs after five minutes: each program has a
            minute at most, one after the other
        """
        process = psutil.Process(self._call("getPID"))
        self._call("shutdown")
        deadline = time.monotonic() + _SECONDS_TO_END
        # In a container nobody may reap it: a zombie counts as ended.
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                raise StackError(
                    f"supervisord (pid {process.pid}) doesn't end; see "
                    f"{self._log}/supervisord.log. `kill -9 {process.pid}` ends it and "
                    "all parts."
                )
            time.sleep(0.05)

    def states(self) -> dict[str, State]:
        """Return the state of each program, by its name."""
        return {
            one["name"]: State(
                name=one["name"],
                group=one["group"],
                state=one["statename"],
                pid=one["pid"],
                seconds=one["now"] - one["start"] if one["pid"] else 0,
            )
            for one in self._call("getAllProcessInfo")
        }

    def last_lines(self, name: str, count: int = 15) -> str:
        """Return the end of a program's log."""
        log = self._log / f"{name}.log"
        if not log.exists():
            return "(no log)"
        return "\n".join(log.read_text(errors="replace").splitlines()[-count:])

    def _call(self, method: str, *arguments: Any) -> Any:
        transport = SupervisorTransport(serverurl=f"unix://{self.socket}")
        server = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
        try:
            return getattr(server.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != Faults.SHUTDOWN_STATE:
                raise
            message = "The stack is being stopped. Wait until it is, and try again."
            raise StackError(message) from None
        finally:
            transport.close()


def end_leftovers(directory: Path) -> None:
    """Kill what still runs in this directory after its supervisord was killed."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()) == directory:
                process.kill()
                process.wait(10)


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process and its children."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        times = [one.cpu_times() for one in family if one.is_running()]
        return float(sum(one.user + one.system for one in times))
    return 0
