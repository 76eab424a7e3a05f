"""What is done to a service: it is stopped for a while, or killed."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess

import psutil

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
