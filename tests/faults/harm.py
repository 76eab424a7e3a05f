"""What is done to a service: it is stopped for a while, or killed, or loses data."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
from kafka.admin import KafkaAdminClient

from deploy.local.stack import Stack


def service(stack: Stack, name: str) -> psutil.Process:
    """Return the process of a part of the stack, once it has one.

    :raises TimeoutError: if it has none for half a minute
    """
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        (pid,) = [one.pid for one in stack.states() if one.name == name]
        # It may just have ended, and be started again.
        if pid and psutil.pid_exists(pid):
            return psutil.Process(pid)
        time.sleep(0.1)
    raise TimeoutError(f"{name} has no process.")


def kill(stack: Stack, name: str) -> None:
    """End a part as ``kill -9`` does, and wait until it is gone."""
    process = service(stack, name)
    process.kill()
    process.wait(30)


@contextmanager
def stopped(process: psutil.Process) -> Iterator[None]:
    """Let a process stand still."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def is_asleep(process: BaseProcess) -> bool:
    """Tell whether a worker was stopped."""
    try:
        return psutil.Process(process.pid).status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False


def wait_for(until: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until something is so.

    :raises TimeoutError: if it is not in time
    """
    deadline = time.monotonic() + seconds
    while not until():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited for {seconds:g} s.")
        time.sleep(0.02)


@contextmanager
def kafka_down(stack: Stack) -> Iterator[None]:
    """Let the broker be down, so that its files can be changed; start it again."""
    stack.supervisor.stop("kafka")
    try:
        yield
    finally:
        stack.up_services()


def wait_until_gone(admin: KafkaAdminClient, topic: str) -> None:
    """Wait until the broker has forgotten a topic that was deleted.

    :raises TimeoutError: if it has not after half a minute
    """
    wait_for(lambda: topic not in admin.list_topics())


def lose_tail(stack: Stack, topic: str, partition: int, start: int) -> None:
    """Take the offsets from ``start`` on out of a log; the broker must be down."""
    log = _segment(stack, topic, partition)
    for offset, at in _batches(log):
        if offset >= start:
            with log.open("r+b") as file:
                file.truncate(at)
            return
    raise ValueError(f"{log} has no batch at or behind offset {start}.")


def lose_all_below(stack: Stack, topic: str, partition: int, start: int) -> None:
    """Let an empty log begin and end at an offset; the broker must be down."""
    log = _segment(stack, topic, partition)
    log.unlink()
    (log.parent / f"{start:020}.log").touch()


def spread(stack: Stack, topic: str, partition: int, step: int) -> None:
    """Let so many offsets lie between batches, as compaction leaves them.

    The broker must be down. A batch's checksum does not cover its first offset.
    """
    log = _segment(stack, topic, partition)
    batches = _batches(log)
    with log.open("r+b") as file:
        for number, (_, at) in enumerate(batches):
            file.seek(at)
            file.write((number * step).to_bytes(8, "big"))


def _segment(stack: Stack, topic: str, partition: int) -> Path:
    """Return the one segment of a log, without what the broker derives from it."""
    folder = stack.var / "kafka" / "data" / f"{topic}-{partition}"
    for pattern in ("*.index", "*.timeindex", "*.snapshot"):
        for path in folder.glob(pattern):
            path.unlink()
    (log,) = folder.glob("*.log")
    return log


def _batches(log: Path) -> list[tuple[int, int]]:
    """Return the first offset of each batch, and where in the file it begins."""
    data, at, found = log.read_bytes(), 0, []
    while at + 12 <= len(data):
        size = int.from_bytes(data[at + 8 : at + 12], "big")
        if size == 0:  # what is preallocated
            break
        found.append((int.from_bytes(data[at : at + 8], "big"), at))
        at += 12 + size
    return found
