"""Clients that are slow, go away, or say what isn't true: by the bytes they send."""

import json
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from deploy.local.ports import Ports
from palate.settings import Settings
from tests.e2e.airflow_api import until
from tests.intake.process import Intake, Partner, running


@pytest.fixture(scope="module")
def intake(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Intake]:
    """Run a replica that has little patience."""
    folder: Path = tmp_path_factory.mktemp("intake")
    with running(
        settings,
        folder,
        Ports.free().kafka,
        PALATE_INTAKE_HEADER_SECONDS="1",
        PALATE_INTAKE_PAUSE_SECONDS="1",
        PALATE_INTAKE_BODY_SECONDS="3",
        PALATE_INTAKE_COMPANY_UPLOADS="2",
        PALATE_INTAKE_UPLOADS="3",
        PALATE_INTAKE_RECORD_BYTES="100000",
    ) as found:
        yield found


class Raw:
    """A connection, byte by byte."""

    def __init__(self, intake: Intake) -> None:
        self.socket = socket.create_connection(("127.0.0.1", intake.port), timeout=20)

    def send(self, text: str | bytes) -> None:
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def head(self, partner: Partner, *lines: str) -> None:
        """Send the head of a file."""
        head = [
            "POST /import/companies HTTP/1.1",
            "Host: intake",
            f"Authorization: Bearer {partner.token}",
            "Content-Type: application/json",
            *lines,
        ]
        self.send("\r\n".join(head) + "\r\n\r\n")

    def answer(self) -> str:
        """Return what comes until the answer is whole, or the connection ends."""
        found = b""
        while b"\r\n\r\n" not in found or not self._is_whole(found):
            try:
                more = self.socket.recv(65_536)
            except ConnectionResetError:
                break
            if not more:
                break
            found += more
        return found.decode()

    @staticmethod
    def _is_whole(found: bytes) -> bool:
        head, _, body = found.partition(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                return len(body) >= int(line.partition(b":")[2])
        return False

    def close(self) -> None:
        self.socket.close()


@contextmanager
def raw(intake: Intake) -> Iterator[Raw]:
    found = Raw(intake)
    yield found
    found.close()


def test_headers_that_drip_end_the_connection(intake: Intake, partner: Partner) -> None:
    with raw(intake) as client:
        assert client.answer() == ""  # silence
    with raw(intake) as client:
        client.send("GET /liveness HTTP/1.1\r\nHost: x\r\n\r\n")
        assert " 200 " in client.answer()
        client.send("GET /live")  # the next request of the same connection
        assert client.answer() == ""
    assert partner.send(b"{}").status_code == 202


def test_body_that_pauses_or_never_ends_is_408(
    intake: Intake, partner: Partner
) -> None:
    with raw(intake) as client:
        client.head(partner, "Content-Length: 100")
        client.send('{"a":')
        assert " 408 " in client.answer().splitlines()[0]
    with raw(intake) as client:
        client.head(partner, "Transfer-Encoding: chunked")
        over = threading.Event()

        def drip() -> None:
            while not over.wait(0.1):
                try:
                    client.send("1\r\n \r\n")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        assert " 408 " in client.answer().splitlines()[0]
        over.set()
        thread.join()


def test_body_that_is_cut_leaves_nothing_behind(
    intake: Intake, partner: Partner
) -> None:
    with raw(intake) as client:
        client.head(partner, "Content-Length: 1000")
        client.send('{"a":"' + "x" * 900)
    until(lambda: _uploads(intake) == 0, "its slot is free")
    known = "SELECT count(*) FROM ops.imports WHERE company = %s"
    assert intake.ask(known, partner.company) == [(0,)]
    assert not (intake.objects / partner.company).exists()


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: -1",),
    ],
)
def test_lengths_that_contradict_are_400(
    intake: Intake, partner: Partner, lines: tuple[str, ...]
) -> None:
    with raw(intake) as client:
        client.head(partner, *lines)
        client.send("{}   ")
        assert " 400 " in client.answer().splitlines()[0]


def test_what_needs_no_body_is_refused_before_it_is_asked_for(
    intake: Intake, partner: Partner
) -> None:
    for lines, status in (
        ((f"Content-Length: {2**40}",), 413),
        (("Content-Length: 5", "Content-Encoding: br"), 415),
        (("Content-Length: 5", "Idempotency-Key: a b"), 400),
    ):
        with raw(intake) as client:
            client.head(partner, "Expect: 100-continue", *lines)
            assert f"HTTP/1.1 {status} " in client.answer().splitlines()[0]
    with raw(intake) as client:
        client.head(partner, "Expect: 100-continue", "Content-Length: 2")
        assert "HTTP/1.1 100 " in client.socket.recv(100).decode()
        client.send("{}")
        assert "HTTP/1.1 202 " in client.answer()


def test_shares_of_a_company_and_of_the_process(
    intake: Intake, partner: Partner
) -> None:
    other = intake.partner(f"{partner.company}-b")
    with raw(intake) as one, raw(intake) as two, raw(intake) as three:
        for client in (one, two):
            client.head(partner, "Content-Length: 3")
            client.send("{")
        until(lambda: _uploads(intake) == 2, "two uploads")
        refused = partner.send(b"{}")
        assert (refused.status_code, refused.json()["reason"]) == (
            429,
            "over_its_share",
        )
        assert refused.headers["Retry-After"]
        three.head(other, "Content-Length: 3", "Idempotency-Key: k")
        three.send("{")
        until(lambda: _uploads(intake) == 3, "three uploads")
        full = other.send(b"{}")
        assert (full.status_code, full.json()["reason"]) == (503, "unavailable")
        three.send("} ")
        assert "HTTP/1.1 202 " in three.answer()
    until(lambda: _uploads(intake) == 0, "no upload")


def test_same_key_at_once_is_409(intake: Intake, partner: Partner) -> None:
    with raw(intake) as client:
        client.head(partner, "Content-Length: 3", "Idempotency-Key: k")
        client.send("{")
        until(lambda: _uploads(intake) == 1, "the upload")
        answer = partner.send(b"{}", Idempotency_Key="k")
        assert (answer.status_code, answer.json()["reason"]) == (409, "still_running")
        client.send("} ")
        assert "HTTP/1.1 202 " in client.answer()


def test_row_13_memory_is_flat_however_large_the_file(
    settings: Settings, tmp_path: Path
) -> None:
    record = json.dumps({"text": "x" * 3_000, "list": [{"n": n} for n in range(20)]})
    with running(settings, tmp_path, Ports.free().kafka) as intake:
        partner = intake.partner("large")
        assert partner.send(b"{}").status_code == 202
        assert intake.process is not None
        process = psutil.Process(intake.process.pid)
        before, most, over = process.memory_info().rss, [0], threading.Event()

        def watch() -> None:
            while not over.wait(0.02):
                most[0] = max(most[0], process.memory_info().rss)

        thread = threading.Thread(target=watch)
        thread.start()
        answer = partner.send(
            (f"{record}\n".encode() for _ in range(60_000)), "application/jsonl"
        )
        over.set()
        thread.join()
        assert answer.json()["records"] == 60_000
        assert answer.json()["bytes"] > 190 * 10**6
        assert most[0] - before < 64 * 2**20


def test_row_26_upload_under_way_ends_after_sigterm(
    settings: Settings, tmp_path: Path
) -> None:
    with running(settings, tmp_path, Ports.free().kafka) as intake:
        partner = intake.partner("stopping")
        with raw(intake) as client, raw(intake) as late:
            client.head(partner, "Content-Length: 3")
            client.send("{")
            until(lambda: _uploads(intake) == 1, "the upload")
            assert intake.process is not None
            intake.process.send_signal(signal.SIGTERM)
            late.send("GET /readiness HTTP/1.1\r\nHost: x\r\n\r\n")
            assert " 200 " not in late.answer()
            client.send("} ")
            assert "HTTP/1.1 202 " in client.answer()
        assert intake.process.wait(30) == -signal.SIGTERM


def test_nothing_of_a_body_that_is_refused_counts_as_spooled(
    intake: Intake, partner: Partner
) -> None:
    answer = partner.send(b'{"a":"' + b"x" * 200_000 + b'"}')
    assert (answer.status_code, answer.json()["reason"]) == (413, "record_too_large")
    until(lambda: _gauge(intake, "palate_intake_spool_bytes") == 0, "an empty spool")


def _uploads(intake: Intake) -> int:
    return _gauge(intake, "palate_intake_uploads_in_progress")


def _gauge(intake: Intake, name: str) -> int:
    for line in intake.metrics().splitlines():
        if line.startswith(f"{name} "):
            return int(float(line.split()[1]))
    raise AssertionError(intake.metrics())
