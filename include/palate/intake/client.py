"""Sending a file to an intake, so that it arrives once, whatever breaks meanwhile.

A repeat is safe: without a key the content is the key of a delivery, and a key that was
given is sent with each try.
"""

import gzip
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx

from palate.errors import RequestError, ServiceUnavailableError

CHUNK = 256 * 2**10
# Its answer to the same request may be another one soon.
_AGAIN = frozenset({408, 409, 429, 502, 503, 504})
_LONGEST_PAUSE = 60.0
_TIMEOUT = httpx.Timeout(60, connect=10)
_KINDS = {
    ".json": "application/json",
    ".ndjson": "application/x-ndjson",
    ".jsonl": "application/x-ndjson",
}


@dataclass(frozen=True)
class Delivery:
    """What is sent, and where."""

    url: str
    token: str
    dataset: str
    file: Path
    key: str | None = None


def send(
    asked: Delivery,
    progress: Callable[[int], None],
    waits: Callable[[float, str], None],
    seconds: float,
) -> dict[str, Any]:
    """Send a file, again and again until there is an answer that counts.

    :param progress: called with the bytes that are sent, from 0 at each try
    :param waits: called before a pause with its seconds, and why it is made
    :param seconds: how long to go on
    :return: the import's state
    :raises RequestError: if the file is refused, or is none that could be sent
    :raises ServiceUnavailableError: if no answer counts within the time
    """
    headers = _headers(asked)
    end, pause = time.monotonic() + seconds, 1.0
    with httpx.Client(timeout=_TIMEOUT, follow_redirects=False) as client:
        while True:
            retry_after = ""
            try:
                answer = client.post(
                    f"{asked.url.rstrip('/')}/import/{asked.dataset}",
                    content=_chunks(asked.file, progress),
                    headers=headers,
                )
            except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                message = f"{asked.url} is no address: {error}."
                raise RequestError(message) from None
            except httpx.TransportError as error:
                trouble = str(error) or type(error).__name__
            else:
                if answer.is_success:
                    found: dict[str, Any] = answer.json()
                    return found
                trouble = _said(answer)
                if answer.status_code not in _AGAIN:
                    raise RequestError(trouble)
                retry_after = answer.headers.get("Retry-After", "")
            wait = float(retry_after) if retry_after.isdecimal() else pause
            wait = min(wait, _LONGEST_PAUSE)
            if time.monotonic() + wait > end:
                message = (
                    f"{asked.url} has not taken {asked.file.name} within {seconds:g} s:"
                    f" {trouble} Send the same again later: it counts once."
                )
                raise ServiceUnavailableError(message)
            waits(wait, trouble)
            time.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)


def _headers(asked: Delivery) -> dict[str, str]:
    name = asked.file.name.lower()
    is_packed = name.endswith(".gz")
    kind = _KINDS.get(Path(name.removesuffix(".gz")).suffix)
    if kind is None:
        message = (
            f"{asked.file} is neither .json nor .ndjson or .jsonl, packed as .gz or "
            "not. Rename it after what it is."
        )
        raise RequestError(message)
    headers = {
        "Authorization": f"Bearer {asked.token}",
        "Content-Type": kind,
        "Repr-Digest": f"sha-256=:{_digest(asked.file, is_packed)}:",
    }
    try:
        headers["Content-Length"] = str(asked.file.stat().st_size)
        label = asked.file.name.encode("ascii", "replace").decode()
    except OSError as error:
        raise _unreadable(asked.file, error) from None
    label = label.replace("\\", "_").replace('"', "_")
    headers["Content-Disposition"] = f'attachment; filename="{label}"'
    if is_packed:
        headers["Content-Encoding"] = "gzip"
    if asked.key is not None:
        headers["Idempotency-Key"] = asked.key
    return headers


def _digest(file: Path, is_packed: bool) -> str:
    found = sha256()
    try:
        with gzip.open(file, "rb") if is_packed else file.open("rb") as opened:
            while chunk := opened.read(CHUNK):
                found.update(chunk)
    except (OSError, EOFError) as error:
        raise _unreadable(file, error) from None
    return b64encode(found.digest()).decode()


def _chunks(file: Path, progress: Callable[[int], None]) -> Iterator[bytes]:
    sent = 0
    progress(sent)
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            yield chunk
            sent += len(chunk)
            progress(sent)


def _unreadable(file: Path, error: Exception) -> RequestError:
    why = getattr(error, "strerror", None) or error
    return RequestError(f"{file} can't be read: {why}.")


def _said(answer: httpx.Response) -> str:
    """Return what the intake, or a proxy before it, says."""
    try:
        said = answer.json()
        place = [
            f"{name} {said[name]}"
            for name in ("record", "line", "offset")
            if said.get(name) is not None
        ]
        where = f" ({', '.join(place)})" if place else ""
        return f"{said['reason']}{where}: {said['detail']}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"The answer is {answer.status_code} {answer.reason_phrase}."
