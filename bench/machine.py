"""The machine of a run, its other load, and the versions."""

import os
import platform
import re
import subprocess
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import psutil

from bench.services import Services
from deploy.local import kafka

_REPOSITORY = Path(__file__).resolve().parents[1]
_PACKAGES = ("kafka-python", "psycopg", "apache-airflow")
# Above this share of the machine, others have disturbed the measurement.
NOISE = 0.05


def describe() -> dict[str, str | int | float]:
    """Return cores, memory and CPU model; no name of a host, no path."""
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text(encoding="utf-8") if cpuinfo.exists() else ""
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return {
        "cores": os.cpu_count() or 0,
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "cpu": model[1] if model else platform.machine(),
    }


def versions(services: Services) -> dict[str, str]:
    """Return the versions of the services, and of Palate itself."""
    with services.superuser() as connection:
        server = connection.info.server_version
    jar = next(kafka.JARS.folder.glob("kafka_2.13-*.jar"))
    return {
        "PostgreSQL": f"{server // 10000}.{server % 10000}",
        "Kafka": jar.stem.rpartition("-")[2],
        "Python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
        "Palate": _commit(),
    }


class OtherLoad:
    """The share of the machine that others used meanwhile, or took away from it.

    The benchmark's own are this process and the stack, with all that they started.
    """

    def __init__(self, services: Services) -> None:
        """Start to measure."""
        self._services = services
        self._start = time.monotonic()
        self._busy, self._own = _busy_seconds(), self._own_seconds()

    def share(self) -> float:
        """Return the share since the start: 0 to 1."""
        busy = _busy_seconds() - self._busy
        own = self._own_seconds() - self._own
        seconds = (time.monotonic() - self._start) * (os.cpu_count() or 1)
        return max(busy - own, 0.0) / seconds

    def _own_seconds(self) -> float:
        roots = [one.pid for one in self._services.stack.states() if one.pid]
        return sum(cpu_seconds(pid) for pid in [os.getpid(), *roots])


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process and all that it started, ended ones too."""
    total = 0.0
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                # With those of reaped children.
                total += sum(process.cpu_times()[:4])
    return total


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    # Time of guests is part of the user's.
    return float(
        times.user + times.nice + times.system + times.irq + times.softirq + times.steal
    )


def _commit() -> str:
    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=_REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--", "include", "sql", "dags", "plugins")
    return (git("rev-parse", "--short", "HEAD") or "?") + (" + changes" * bool(changed))
