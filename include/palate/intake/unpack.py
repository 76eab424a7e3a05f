"""A packed body becomes the file, chunk by chunk; a bomb is stopped on the way."""

import zlib
from collections.abc import Iterator

from palate.files import Reason, RefusedError, records

_GZIP = 16 + zlib.MAX_WBITS
_CHUNK = 256 * 2**10
# So much may be unpacked from anything.
_UNSUSPICIOUS = 2**20


class Plain:
    """A body that isn't packed."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the bytes as they are."""
        yield data

    def finish(self) -> None:
        """Accept any end."""


class Gunzip:
    """A body in gzip's form, of one member or several."""

    def __init__(self, limits: records.Limits) -> None:
        """Begin."""
        self._ratio = limits.packed_ratio
        self._member = zlib.decompressobj(_GZIP)
        self._packed = 0
        self._unpacked = 0
        self._is_whole = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what the bytes unpack to, in chunks of a bounded size.

        :raises RefusedError: if they are not gzip's, or unpack to too much
        """
        self._packed += len(data)
        while data:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP)
            yield from self._inflate(data)
            # What follows the member, or what is left when a chunk is full.
            data = self._member.unused_data or self._member.unconsumed_tail

    def finish(self) -> None:
        """Check that the last member is whole.

        :raises RefusedError: if it is cut
        """
        if not self._is_whole:
            detail = "The packed body is cut off. Send it again."
            raise RefusedError(Reason.BAD_GZIP, detail)

    def _inflate(self, data: bytes) -> Iterator[bytes]:
        """Yield what a member makes of the bytes, until it wants more, or is whole."""
        while True:
            try:
                chunk = self._member.decompress(data, _CHUNK)
            except zlib.error:
                detail = (
                    f"After {self._unpacked:,} unpacked bytes the body is not gzip's "
                    "form any more. Send it again, or without Content-Encoding."
                )
                raise RefusedError(Reason.BAD_GZIP, detail) from None
            self._is_whole = self._member.eof
            self._unpacked += len(chunk)
            self._refuse_bomb()
            if chunk:
                yield chunk
            if len(chunk) < _CHUNK or self._member.eof:
                return
            data = self._member.unconsumed_tail

    def _refuse_bomb(self) -> None:
        most = self._ratio * self._packed
        if self._unpacked > _UNSUSPICIOUS and self._unpacked > most:
            detail = (
                f"The body unpacks to more than {self._ratio} times its size. Send it "
                "without Content-Encoding, or in smaller files."
            )
            raise RefusedError(Reason.PACKED_TOO_TIGHTLY, detail)
