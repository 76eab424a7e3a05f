"""Parse the batches that a broker sends: every record with bytes is yielded (ADR 0021).

kafka-python's own parser raises at a header name that isn't UTF-8, and unpacks a
compressed batch however large it becomes.
"""

import base64
import gzip
import io
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from kafka import codec
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.util import decode_varint

from palate.errors import CodecMissingError, PalateError, UnreadableRecordError

# A batch is at most as large as the broker's max.message.bytes, compressed. Unpacking
# to more than this would exhaust a worker's memory.
MOST_BYTES = 256 * 2**20

_VERSION = 2
_CODECS = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
_XERIAL_HEADER = 16

Header = tuple[bytes, bytes | None]


class Record(NamedTuple):
    """One record of a batch; ``timestamp`` is in milliseconds, -1 for none."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[Header]


class UnparsableError(Exception):
    """Raised where a batch, or the rest of it, has no readable records."""

    def __init__(
        self, cause: str, error: type[PalateError] = UnreadableRecordError
    ) -> None:
        """Describe it.

        :param cause: completes "offsets 3 to 5 can't be read: "
        :param error: the class that a run raises for it
        """
        super().__init__(cause)
        self.error = error


def check(batch: Any) -> None:
    """Check that a batch, of any version, is what its producer sent.

    :raises UnparsableError: if its version is unknown, or its checksum is wrong
    """
    if not 0 <= batch.magic <= _VERSION:
        raise UnparsableError(f"record format {batch.magic} is unknown")
    if not batch.validate_crc():
        raise UnparsableError(
            "the checksum (CRC) doesn't fit the bytes, so they were changed after the "
            "producer sent them"
        )


def records(batch: DefaultRecordBatch) -> Iterator[Record]:
    """Yield the records of a batch of version 2, whose checksum is right.

    A record that is broken inside, but whose length and offset are known, has all of
    its bytes as its value.

    :raises UnparsableError: where record boundaries are lost; what was yielded until
        then is right
    """
    buffer, at = _unpacked(batch)
    appended = batch.max_timestamp if batch.timestamp_type else None
    previous = batch.base_offset - 1
    for number in range(batch.records_count):
        try:
            length, start = decode_varint(buffer, at)
            # One byte of attributes, without a meaning so far.
            delta, at = decode_varint(buffer, start + 1)
            offset_delta, at = decode_varint(buffer, at)
        except (IndexError, ValueError):
            raise _cut(number, batch) from None
        end = start + length
        offset = batch.base_offset + offset_delta
        if not at <= end <= len(buffer) or not previous < offset <= batch.last_offset:
            raise _cut(number, batch)
        timestamp = batch.first_timestamp + delta if appended is None else appended
        yield _record(buffer, start, at, end, offset, timestamp)
        at, previous = end, offset
    if at != len(buffer) and previous < batch.last_offset:
        raise UnparsableError(
            f"{len(buffer) - at} bytes follow the last of its {batch.records_count} "
            "records"
        )


def pack_headers(headers: list[Header]) -> bytes | None:
    """Return headers as STG keeps them: a JSON list of [name, value in base64 or null].

    A name that ``jsonb`` can't take (not UTF-8, or with a NUL) has U+FFFD for what is
    wrong, and itself in base64 as a third element: nothing is lost. None without
    headers.
    """
    if not headers:
        return None
    packed: list[list[str | None]] = []
    for name, value in headers:
        text = name.decode("utf-8", "replace").replace("\0", "\ufffd")
        pair = [text, None if value is None else base64.b64encode(value).decode()]
        if text.encode() != name:
            pair.append(base64.b64encode(name).decode())
        packed.append(pair)
    return json.dumps(packed).encode()


def _record(
    buffer: bytes, start: int, at: int, end: int, offset: int, timestamp: int
) -> Record:
    headers: list[Header] = []
    try:
        key, at = _nullable(buffer, at)
        value, at = _nullable(buffer, at)
        count, at = decode_varint(buffer, at)
        while count > 0 and at < end:
            name, at = _nullable(buffer, at)
            held, at = _nullable(buffer, at)
            headers.append((name or b"", held))
            count -= 1
    except (IndexError, ValueError):
        count = -1
    if at != end or count:
        return Record(offset, timestamp, None, buffer[start:end], [])
    return Record(offset, timestamp, key, value, headers)


def _nullable(buffer: bytes, at: int) -> tuple[bytes | None, int]:
    size, at = decode_varint(buffer, at)
    return (None, at) if size < 0 else (buffer[at : at + size], at + size)


def _cut(number: int, batch: DefaultRecordBatch) -> UnparsableError:
    return UnparsableError(
        f"record {number + 1} of {batch.records_count} in its batch has no usable "
        "length or offset"
    )


def _unpacked(batch: DefaultRecordBatch) -> tuple[bytes, int]:
    """Return the bytes of the records, and where the first begins."""
    buffer, at = bytes(batch._buffer), batch._pos
    if batch.compression_type == batch.CODEC_NONE:
        return buffer, at
    name = _CODECS.get(batch.compression_type)
    if name is None:
        raise UnparsableError(f"compression type {batch.compression_type} is unknown")
    if not getattr(codec, f"has_{name}")():
        raise UnparsableError(f"its codec, {name}, is not installed", CodecMissingError)
    try:
        unpacked = _UNPACK[name](buffer[at:])
    # Each codec has its own errors, and raises others at invalid bytes.
    except Exception as error:
        raise UnparsableError(
            f"its {name} data can't be decompressed ({type(error).__name__})"
        ) from error
    if len(unpacked) > MOST_BYTES:
        raise UnparsableError(
            f"its {name} data unpacks to more than {MOST_BYTES // 2**20} MiB"
        )
    return unpacked, 0


def _gunzip(data: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        return file.read(MOST_BYTES + 1)


def _unsnap(data: bytes) -> bytes:
    """Return what is in one block, or in the blocks of the Java library's framing."""
    if not codec._detect_xerial_stream(data):
        return _unsnap_block(data)
    blocks, size, at = [], 0, _XERIAL_HEADER
    while at < len(data) and size <= MOST_BYTES:
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        blocks.append(_unsnap_block(data[at + 4 : end]))
        size += len(blocks[-1])
        at = end
    return b"".join(blocks)


def _unsnap_block(data: bytes) -> bytes:
    # It begins with its length; three bytes give at most 64.
    length = shift = 0
    for byte in data[:5]:
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if length > 64 * len(data):
        raise ValueError("a length that so few bytes can't have")
    import snappy

    return bytes(snappy.decompress(data))


def _unlz4(data: bytes) -> bytes:
    import lz4.frame

    unpacker = lz4.frame.LZ4FrameDecompressor()
    unpacked: bytes = unpacker.decompress(data, max_length=MOST_BYTES + 1)
    if not unpacker.eof and len(unpacked) <= MOST_BYTES:
        raise EOFError("the frame has no end")
    return unpacked


def _unzstd(data: bytes) -> bytes:
    import zstandard

    unpacker = zstandard.ZstdDecompressor()
    with unpacker.stream_reader(data, read_across_frames=True) as stream:
        return bytes(stream.read(MOST_BYTES + 1))


_UNPACK = {"gzip": _gunzip, "snappy": _unsnap, "lz4": _unlz4, "zstd": _unzstd}
