"""`palate intake send`: a file arrives once, however often it has to be sent."""

import gzip
import json
from base64 import b64encode
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from palate.errors import RequestError, ServiceUnavailableError
from palate.intake import client
from tests.intake.process import Intake, Partner

GOOD = b'{"permalink": "a", "name": "A"}\n'
KEPT = {"import_id": "x", "repeated": False, "records": 1, "state": "received"}


class Scripted(ThreadingHTTPServer):
    """A server that answers as it is told; None ends the connection."""

    def __init__(self, *script: tuple[int, dict[str, str]] | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = list(script)
        self.came: list[tuple[dict[str, str], bytes]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Scripted

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.came.append((dict(self.headers), body))
        answer = self.server.script.pop(0)
        if answer is None:
            self.close_connection = True
            return
        status, headers = answer
        said = KEPT if status < 300 else {"reason": "why", "detail": "What to do."}
        content = json.dumps(said).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "c.ndjson"
    found.write_bytes(GOOD)
    return found


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Keep the pauses that are made; make none."""
    found: list[float] = []
    monkeypatch.setattr(client.time, "sleep", found.append)
    return found


def send(
    file: Path, *script: tuple[int, dict[str, str]] | None, seconds: float = 60
) -> tuple[dict[str, Any], Scripted, list[str]]:
    server, why = Scripted(*script), []
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    asked = client.Delivery(url, "palate_t", "companies", file, "k-1")
    try:
        found = client.send(
            asked, lambda _: None, lambda _, said: why.append(said), seconds
        )
    finally:
        server.shutdown()
        server.server_close()
    return found, server, why


def test_each_try_is_the_same_request(file: Path, waited: list[float]) -> None:
    found, server, why = send(
        file,
        (503, {"Retry-After": "7"}),
        (429, {"Retry-After": "3"}),
        None,
        (409, {"Retry-After": "1"}),
        (408, {}),
        (202, {}),
    )
    assert found == KEPT
    first, *others = server.came
    assert [one for one in others if one != first] == []
    headers, body = first
    assert body == GOOD
    assert headers["Idempotency-Key"] == "k-1"
    assert headers["Authorization"] == "Bearer palate_t"
    assert headers["Content-Type"] == "application/x-ndjson"
    digest = b64encode(sha256(GOOD).digest()).decode()
    assert headers["Repr-Digest"] == f"sha-256=:{digest}:"
    # What the intake asks for; where it says nothing, longer and longer.
    assert waited == [7, 3, 4, 1, 16]
    assert why[0] == "why: What to do."


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 415, 422])
def test_refusal_is_not_tried_again(
    file: Path, waited: list[float], status: int
) -> None:
    with pytest.raises(RequestError, match=r"why: What to do\."):
        send(file, (status, {}))
    assert waited == []


def test_it_ends_before_the_time_is_over(file: Path, waited: list[float]) -> None:
    with pytest.raises(ServiceUnavailableError, match="it counts once"):
        send(file, (503, {"Retry-After": "2"}), (503, {"Retry-After": "59"}), seconds=9)
    assert waited == [2]


def test_what_can_not_be_sent_is_named(tmp_path: Path) -> None:
    odd = tmp_path / "c.csv"
    odd.write_text("a,b")
    with pytest.raises(RequestError, match=r"c\.csv is neither"):
        send(odd)
    with pytest.raises(RequestError, match=r"gone\.json can't be read: No such file"):
        send(tmp_path / "gone.json")
    broken = tmp_path / "c.json.gz"
    broken.write_bytes(b"{}")
    with pytest.raises(RequestError, match="can't be read: Not a gzipped file"):
        send(broken)
    asked = client.Delivery("nowhere", "t", "companies", _json(tmp_path))
    with pytest.raises(RequestError, match="nowhere is no address"):
        client.send(asked, lambda _: None, lambda *_: None, 1)


def _json(folder: Path) -> Path:
    found = folder / "c.json"
    found.write_bytes(GOOD)
    return found


def test_packed_file_is_told_by_its_content(file: Path) -> None:
    packed = file.with_name("c.jsonl.gz")
    packed.write_bytes(gzip.compress(GOOD))
    _, server, _ = send(packed, (202, {}))
    ((headers, body),) = server.came
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == GOOD
    digest = b64encode(sha256(GOOD).digest()).decode()
    assert headers["Repr-Digest"] == f"sha-256=:{digest}:"


def test_command_sends_to_an_intake(
    intake: Intake, partner: Partner, file: Path
) -> None:
    asked = ("send", str(file), "--dataset", "companies")
    env = {"INTAKE_URL": intake.url, "INTAKE_TOKEN": partner.token}
    first = intake.palate(*asked, "--json", **env)
    assert first.returncode == 0, first.stderr
    found = json.loads(first.stdout)
    assert (found["records"], found["filename"]) == (1, "c.ndjson")
    again = intake.palate(*asked, **env)
    assert "c.ndjson was there before, 1 record: received." in again.stdout
    assert found["import_id"] in again.stdout
    packed = file.with_name("c.ndjson.gz")
    packed.write_bytes(gzip.compress(GOOD))
    same = intake.palate("send", str(packed), "--dataset=companies", "--json", **env)
    assert json.loads(same.stdout)["import_id"] == found["import_id"]

    file.write_bytes(b'{"a": 1}\n{"a": }\n')
    refused = intake.palate(*asked, **env)
    assert refused.returncode != 0
    assert "not_json (record 2, line 2, offset 15):" in " ".join(refused.stderr.split())
    assert partner.token not in refused.stderr


def test_command_goes_on_while_the_intake_is_away(
    intake: Intake, partner: Partner, file: Path
) -> None:
    intake.stop()
    env = {"INTAKE_URL": intake.url, "INTAKE_TOKEN": partner.token}
    asked = ("send", str(file), "--dataset=companies")
    away = intake.palate(*asked, "--for", "1.5", **env)
    intake.start()
    assert away.returncode != 0
    assert "Again in 1 s" in away.stderr
    assert "it counts once" in " ".join(away.stderr.split())
    assert intake.palate(*asked, **env).returncode == 0
