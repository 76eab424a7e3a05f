"""The door: from a request to a kept file, an import, and its event."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from anyio import to_thread
from starlette.requests import ClientDisconnect, Request

from palate import files
from palate.database import Connection, explained, open_session
from palate.errors import ServiceUnavailableError
from palate.files import (
    IntakeSettings,
    Reason,
    RefusedError,
    imports,
    objects,
)
from palate.intake import headers, tokens
from palate.intake.body import Body, Received
from palate.intake.headers import FileHeaders
from palate.intake.metrics import RECEIVED, RECORDS, SPOOLED, UNPACKED
from palate.intake.shares import Shares
from palate.intake.tokens import Sender
from palate.session_pool import SessionPool

T = TypeVar("T")

_SESSIONS = 16
_SECONDS_TO_WAIT = 5.0
# Less is judged at once, more in a thread: the others must be served meanwhile.
_AT_ONCE = 16 * 2**10


@dataclass(frozen=True)
class Door:
    """All that a request needs, made once per process."""

    settings: IntakeSettings
    store: objects.Store
    datasets: dict[str, files.datasets.Dataset]
    shares: Shares
    sessions: SessionPool
    told: Callable[[], None]

    @classmethod
    def opened(
        cls,
        settings: IntakeSettings,
        store: objects.Store,
        datasets: dict[str, files.datasets.Dataset],
        told: Callable[[], None],
    ) -> "Door":
        """Open it.

        :param told: called once an event is entered
        """
        return cls(
            settings,
            store,
            datasets,
            Shares(
                settings.palate_intake_uploads, settings.palate_intake_company_uploads
            ),
            SessionPool(
                partial(open_session, settings),
                _SESSIONS,
                _SECONDS_TO_WAIT,
                "The warehouse is busy. Try again in a moment.",
            ),
            told,
        )

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """Give a session of the warehouse.

        :raises ServiceUnavailableError: if PostgreSQL does not answer
        """
        with self.sessions.session() as conn, explained(conn, "The intake"):
            yield conn

    async def within(self, work: Callable[..., T], *values: Any) -> T:
        """Do in a thread what needs a session; it gets one first."""

        def done() -> T:
            with self.session() as conn:
                return work(conn, *values)

        return await to_thread.run_sync(done)

    async def sender(self, request: Request) -> Sender:
        """Return who sends.

        :raises RefusedError: without a token that is valid now
        """
        token = headers.token(request.headers)
        found = await self.within(tokens.sender_of, token) if token else None
        if found is None:
            raise RefusedError(
                Reason.NO_TOKEN,
                "Send a valid token: Authorization: Bearer <token>. If yours has "
                "expired, ask for a new one.",
                headers={"WWW-Authenticate": 'Bearer realm="palate"'},
            )
        return found

    async def receive(
        self, request: Request, name: str, request_id: str
    ) -> tuple[imports.Import, bool]:
        """Take a file; return its import, and whether that is new.

        What needs no body is looked at before any of it is read.

        :raises RefusedError: if it isn't taken; a malformed one is entered all the same
        """
        sender = await self.sender(request)
        dataset = self.datasets.get(name)
        if dataset is None:
            known = ", ".join(sorted(sender.datasets & self.datasets.keys()))
            detail = f"There is no such dataset. You may send: {known or 'none'}."
            raise RefusedError(Reason.UNKNOWN_DATASET, detail)
        if name not in sender.datasets:
            detail = "Your token is not for this dataset. Ask for one that is."
            raise RefusedError(Reason.NOT_YOUR_DATASET, detail)
        said = headers.of_file(request.headers)
        self._check_room(dataset, said)
        with self.shares.taken(sender.company, name, said.key):
            body = await self._read(request, dataset, said)
            try:
                return await to_thread.run_sync(
                    self._keep, body, sender, dataset, said, request_id
                )
            finally:
                SPOOLED.dec(body.bytes)
                body.close()

    def _check_room(self, dataset: files.datasets.Dataset, said: FileHeaders) -> None:
        """Refuse by its length what can't be taken."""
        most = self._most_bytes(dataset)
        length = said.length or 0
        if length > most:
            detail = f"A file may have {most:,} bytes. Send this one in several."
            raise RefusedError(Reason.FILE_TOO_LARGE, detail)
        spool = self.settings.palate_intake_spool
        try:
            free = shutil.disk_usage(spool).free
        except OSError as error:
            message = f"PALATE_INTAKE_SPOOL can't be used: {error.strerror}."
            raise ServiceUnavailableError(message) from None
        if free < max(length, 1):
            message = "There is no room for the file on its way in."
            raise ServiceUnavailableError(message)

    def _most_bytes(self, dataset: files.datasets.Dataset) -> int:
        most = self.settings.palate_intake_file_bytes
        return min(most, dataset.max_bytes or most)

    async def _read(
        self, request: Request, dataset: files.datasets.Dataset, said: FileHeaders
    ) -> Body:
        """Read a body to its end; the caller closes it."""
        body = Body(
            said.form,
            self.settings.limits.of_files(self._most_bytes(dataset)),
            self.settings.palate_intake_spool,
            is_packed=said.is_packed,
        )
        try:
            async for chunk in self._chunks(request):
                before = body.bytes
                RECEIVED.labels(dataset.name).inc(len(chunk))
                try:
                    if len(chunk) <= _AT_ONCE and not said.is_packed:
                        body.feed(chunk)
                    else:
                        await to_thread.run_sync(body.feed, chunk)
                finally:
                    SPOOLED.inc(body.bytes - before)
        except BaseException:
            SPOOLED.dec(body.bytes)
            body.close()
            raise
        UNPACKED.labels(dataset.name).inc(body.bytes)
        return body

    async def _chunks(self, request: Request) -> AsyncIterator[bytes]:
        pause = self.settings.palate_intake_pause_seconds
        stream = request.stream().__aiter__()
        try:
            async with asyncio.timeout(self.settings.palate_intake_body_seconds):
                while True:
                    async with asyncio.timeout(pause):
                        try:
                            chunk = await anext(stream)
                        except StopAsyncIteration:
                            return
                    if chunk:
                        yield chunk
        except TimeoutError:
            detail = (
                f"The body paused for more than {pause:g} s, or took more than "
                f"{self.settings.palate_intake_body_seconds:g} s. Send it again."
            )
            raise RefusedError(Reason.TOO_SLOW, detail) from None
        except ClientDisconnect:
            detail = "The body ended before its length."
            raise RefusedError(Reason.BAD_REQUEST, detail) from None

    def _keep(
        self,
        body: Body,
        sender: Sender,
        dataset: files.datasets.Dataset,
        said: FileHeaders,
        request_id: str,
    ) -> tuple[imports.Import, bool]:
        """Keep the file, then enter the import and its event."""
        came = body.finish()
        is_whole = came.refusal is None or came.refusal.reason is not Reason.BAD_GZIP
        if said.sha256 is not None and is_whole and said.sha256 != came.sha256:
            detail = (
                f"The file has another digest than Repr-Digest says: its SHA-256 is "
                f"{came.sha256.hex()}. Send it again."
            )
            raise RefusedError(Reason.DIGEST_MISMATCH, detail)
        new = imports.Delivery(
            company=sender.company,
            dataset=dataset.name,
            key=said.key,
            form=said.form,
            request_id=request_id,
            filename=said.filename,
            sha256=came.sha256,
            bytes=came.bytes,
            records=came.records,
            refusal=came.refusal,
        )
        with self.session() as conn:
            known = imports.find(conn, sender.company, new.import_id)
            if known is not None:
                imports.refuse_other_content(known, new.sha256)
                return known, False
            if came.refusal is None:
                found, is_new = self._store(conn, body, came, new)
            else:
                found, is_new = imports.enter(conn, new)
        if is_new:
            self.told()
            if came.refusal is None:
                RECORDS.labels(dataset.name).inc(came.records)
        return found, is_new

    def _store(
        self, conn: Connection, body: Body, came: Received, new: imports.Delivery
    ) -> tuple[imports.Import, bool]:
        """Keep a good file, then enter it: never an event without its object."""
        key = f"{new.company}/files/{came.sha256.hex()}.{new.form}"
        # Whoever removes objects that no import names waits for it.
        lock = (objects.lock_name(key),)
        conn.execute("SELECT pg_advisory_lock_shared(hashtextextended(%s, 0))", lock)
        try:
            etag = self.store.put(key, body.file, came.sha256)
            url = self.store.url(key)
            return imports.enter(conn, replace(new, object_key=key, etag=etag, url=url))
        finally:
            if not conn.closed:
                conn.execute(
                    "SELECT pg_advisory_unlock_shared(hashtextextended(%s, 0))", lock
                )
