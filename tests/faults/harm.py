"""What is done to a service: it is stopped for a while, or killed."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from deploy.local.stack import Stack

_PATIENCE = 60


def service(stack: Stack, name: str) -> psutil.Process:
    """Return the process of a part of the stack; wait for it to be started again."""
    end = time.monotonic() + _PATIENCE
    while True:
        (pid,) = [one.pid for one in stack.states() if one.name == name]
        if pid:  # 0 while the supervisor is about to start it
            return psutil.Process(pid)
        if time.monotonic() > end:
            raise RuntimeError(f"{name} was not started again in {_PATIENCE} s.")
        time.sleep(0.2)


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
