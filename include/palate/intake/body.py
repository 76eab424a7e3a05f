"""A body as it comes in: unpacked, hashed, judged record by record, spooled."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO

from palate.errors import ServiceUnavailableError
from palate.files import Reason, RefusedError, records
from palate.intake.unpack import Gunzip, Plain


@dataclass(frozen=True)
class Received:
    """What came: the whole file, or why it is malformed."""

    sha256: bytes
    bytes: int
    records: int
    refusal: RefusedError | None


class Body:
    """One body; its file is spooled to a folder, and gone when this is closed."""

    def __init__(
        self,
        form: records.Form,
        limits: records.Limits,
        spool: Path,
        *,
        is_packed: bool,
    ) -> None:
        """Begin.

        :raises ServiceUnavailableError: if the folder can't be written to
        """
        self._limits = limits
        self._records = records.Records(form, limits, keep=False)
        self._unpack = Gunzip(limits) if is_packed else Plain()
        self._hash = sha256()
        # What a body is known by that can't be unpacked.
        self._packed = sha256() if is_packed else None
        self._refusal: RefusedError | None = None
        self.bytes = 0
        with _explained():
            # Closed by ``close``.
            self.file: IO[bytes] = tempfile.TemporaryFile(dir=spool)  # noqa: SIM115

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        What is malformed is still read to its end, so that a retry is known as one.

        :raises RefusedError: if there is too much of something
        :raises ServiceUnavailableError: if there is no room to spool
        """
        if self._packed is not None:
            self._packed.update(data)
        if self._refusal is not None and self._refusal.reason is Reason.BAD_GZIP:
            return
        try:
            for chunk in self._unpack.feed(data):
                self._take(chunk)
        except RefusedError as error:
            self._note(error)

    def finish(self) -> Received:
        """Return what came, once all has; the file is at its beginning.

        :raises RefusedError: if there is too much of something
        """
        if self._refusal is None:
            try:
                self._unpack.finish()
                self._records.finish()
            except RefusedError as error:
                self._note(error)
        self.file.seek(0)
        is_readable = not self._refusal or self._refusal.reason is not Reason.BAD_GZIP
        digest = self._hash if is_readable or self._packed is None else self._packed
        return Received(digest.digest(), self.bytes, self._records.count, self._refusal)

    def close(self) -> None:
        """Let the file go."""
        self.file.close()

    def _take(self, chunk: bytes) -> None:
        self.bytes += len(chunk)
        if self.bytes > self._limits.file_bytes:
            detail = (
                f"The file has more than {self._limits.file_bytes:,} bytes. Send it in "
                "several."
            )
            raise RefusedError(Reason.FILE_TOO_LARGE, detail)
        self._hash.update(chunk)
        if self._refusal is not None:
            return
        with _explained():
            self.file.write(chunk)
        try:
            self._records.feed(chunk)
        except RefusedError as error:
            self._note(error)

    def _note(self, error: RefusedError) -> None:
        if not error.is_malformed:
            raise error
        self._refusal = error
        self.file.seek(0)
        self.file.truncate()


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = (
            "There is no room for the file on its way in "
            f"(PALATE_INTAKE_SPOOL: {error.strerror})."
        )
        raise ServiceUnavailableError(message) from None
