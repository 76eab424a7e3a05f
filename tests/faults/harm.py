"""What is done to a service: it is stopped for a while, or killed."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from deploy.local.stack import Stack


def service(stack: Stack, name: str) -> psutil.Process:
    """Return the process of a part of the stack."""
    (pid,) = [one.pid for one in stack.states() if one.name == name]
    return psutil.Process(pid)


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
