"""`make up` on a machine that is slow, or where the port of a part is odd."""

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from deploy.local import airflow_server, stack
from deploy.local.errors import NotYetError, StackError
from deploy.local.ports import HOST, Ports, listens, met_itself
from deploy.local.stack import Stack
from deploy.local.supervision import State


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """Give a stack whose api-server runs, and answers when it likes."""
    monkeypatch.setattr(stack, "_SECONDS_TO_WORK", 0)
    found = Stack(tmp_path, Ports())
    states = [State("api-server", "airflow", "RUNNING", pid=1)]
    monkeypatch.setattr(found, "states", lambda: states)
    monkeypatch.setattr(found.supervisor, "last_lines", lambda _: "its last words")
    return found


def _answers(monkeypatch: pytest.MonkeyPatch, it: Stack, answer: Callable[[], bool]):
    monkeypatch.setattr(it, "_checks", lambda: {"api-server": answer})


def test_part_that_works_is_waited_for(
    slow: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds, asked = count(0, 2), count()
    monkeypatch.setattr(stack, "cpu_seconds", lambda _: next(seconds))
    _answers(monkeypatch, slow, lambda: next(asked) > 3)
    lines: list[str] = []
    slow._wait_until_answering("airflow", lines.append)
    assert lines[0].startswith("api-server ")


def test_part_that_does_nothing_is_told_and_left_running(
    slow: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "cpu_seconds", lambda _: 7)
    _answers(monkeypatch, slow, lambda: False)
    monkeypatch.setattr(slow.supervisor, "is_up", iter([False, True]).__next__)
    monkeypatch.setattr(
        slow.supervisor, "shut_down", lambda: pytest.fail("it was taken down")
    )
    with (
        pytest.raises(NotYetError, match=r"left running.*`make up` waits") as error,
        slow._undone_on_error(),
    ):
        slow._wait_until_answering("airflow", lambda _: None)
    assert "its last words" in str(error.value)


def test_part_that_ended_is_told_at_once(
    slow: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow, "states", lambda: [State("api-server", "airflow", "X")])
    monkeypatch.setattr(stack, "cpu_seconds", lambda _: 0)
    _answers(monkeypatch, slow, lambda: False)
    with pytest.raises(StackError, match="api-server doesn't run") as error:
        slow._wait_until_answering("airflow", lambda _: None)
    assert not isinstance(error.value, NotYetError)


def test_client_that_meets_itself_has_met_nobody() -> None:
    with socket.socket() as client:
        client.bind((HOST, 0))
        client.connect(client.getsockname())
        assert met_itself(client)
    with socket.create_server((HOST, 0)) as server:
        assert listens(server.getsockname()[1])
    assert not listens(Ports.free().airflow)


def test_answer_that_is_no_http_is_no_answer() -> None:
    with socket.create_server((HOST, 0)) as server, ThreadPoolExecutor() as pool:

        def echo() -> None:
            server.accept()[0].close()  # who only looked whether anybody listens
            client, _ = server.accept()
            with client:
                client.sendall(client.recv(65_536))

        done = pool.submit(echo)
        ports = Ports(airflow=server.getsockname()[1])
        assert airflow_server.answers(ports, "scheduler") is False
        done.result()
