"""What comes in a batch is handed out, or it is said where and why it can't be."""

import struct
import zlib
from collections.abc import Callable

import kafka.codec
import pytest
import zstandard
from kafka import TopicPartition
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.util import calc_crc32c, encode_varint

from palate.clients import record_batches
from palate.clients.fetching import _PartitionRecords
from palate.clients.record_batches import pack_headers
from palate.errors import CodecMissingError, UnreadableRecordError
from tests.integration.broker import RawName

PARTITION = TopicPartition("orders", 0)
HEADER_SIZE = 61
_CRC_AT, _CODEC_AT = 17, 22


def batch(
    values: list[bytes], *, base: int = 0, codec: int = 0, name: str = "name"
) -> bytearray:
    builder = DefaultRecordBatchBuilder(2, codec, False, -1, -1, -1, 10**9)
    for number, value in enumerate(values):
        builder.append(number, 1_000 + number, b"key", value, [(name, b"held")])
    data = bytearray(builder.build())
    struct.pack_into(">q", data, 0, base)
    return data


def packed(records: bytes, count: int, *, codec: int = 0) -> bytearray:
    """Return a batch with these bytes as its records, and the right checksum."""
    data = batch([b"x"] * count)[:HEADER_SIZE] + records
    struct.pack_into(">i", data, 8, len(data) - 12)
    data[_CODEC_AT] = codec
    return signed(data)


def signed(data: bytearray) -> bytearray:
    struct.pack_into(">I", data, _CRC_AT, calc_crc32c(memoryview(data)[_CRC_AT + 4 :]))
    return data


def record(offset: int, rest: bytes) -> bytes:
    body, size = bytearray(b"\0"), bytearray()
    encode_varint(0, body.append)
    encode_varint(offset, body.append)
    body += rest
    encode_varint(len(body), size.append)
    return bytes(size + body)


def read(data: bytes, *, at: int = 0) -> tuple[list[tuple], list[tuple]]:
    """Return (offset, value, headers) of each record, and what was noted."""
    noted: list[tuple] = []
    records = _PartitionRecords(
        lambda *what: noted.append(what), at, PARTITION, MemoryRecords(bytes(data))
    )
    taken = records.take()
    return [(r.offset, r.value, r.headers) for r in taken], noted


def test_name_that_is_not_utf_8_is_bytes_like_any_other() -> None:
    taken, noted = read(batch([b"a"], name=RawName(b"trace\xff\xfe")))
    assert taken == [(0, b"a", [(b"trace\xff\xfe", b"held")])]
    assert noted == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(b"name", '["name", "aA=="]', id="text"),
        pytest.param(
            "имя".encode(), '["\\u0438\\u043c\\u044f", "aA=="]', id="text of any script"
        ),
        pytest.param(b"", '["", "aA=="]', id="empty"),
        pytest.param(
            b"t\xff", '["t\\ufffd", "aA==", "dP8="]', id="no UTF-8: itself follows"
        ),
        pytest.param(
            b"t\0", '["t\\ufffd", "aA==", "dAA="]', id="jsonb takes no NUL either"
        ),
        pytest.param(
            "t\ufffd".encode(), '["t\\ufffd", "aA=="]', id="is U+FFFD by itself"
        ),
    ],
)
def test_headers_lose_nothing(name: bytes, expected: str) -> None:
    assert pack_headers([(name, b"h")]) == f"[{expected}]".encode()


@pytest.mark.parametrize("codec", [0, 1, 2, 3, 4])
def test_every_codec_is_unpacked(codec: int) -> None:
    values = [b"%d" % number * 100 for number in range(20)]
    taken, noted = read(batch(values, codec=codec))
    assert [value for _, value, _ in taken] == values
    assert noted == []


def test_record_that_is_broken_inside_is_handed_out_whole() -> None:
    # A key that is longer than the record; and a negative number of headers.
    broken = record(0, b"\x7e\x01\x01"), record(1, b"\x01\x01\x01")
    right = record(2, b"\x01\x02a\0")
    taken, noted = read(packed(b"".join(broken) + right, 3))
    assert taken == [(0, broken[0][1:], []), (1, broken[1][1:], []), (2, b"a", [])]
    assert noted == []


def test_changed_byte_is_noted_with_the_offsets_of_its_batch() -> None:
    data = batch([b"abc"] * 3, base=5)
    data[-2] ^= 1
    taken, noted = read(batch([b"a"] * 5) + data + batch([b"b"], base=8))
    assert [offset for offset, *_ in taken] == [0, 1, 2, 3, 4]
    ((partition, start, claimed, following, cause, error),) = noted
    assert (partition, start, claimed, following) == (PARTITION, 5, 8, 8)
    assert "checksum" in cause
    assert error is UnreadableRecordError


def test_what_stands_before_the_broken_record_is_taken() -> None:
    rest = record(0, b"\x01\x02a\0") + b"\xff" * 3
    taken, noted = read(packed(rest, 3))
    assert [(offset, value) for offset, value, _ in taken] == [(0, b"a")]
    ((_, start, claimed, _, cause, _),) = noted
    assert (start, claimed) == (1, 3)
    assert "record 2 of 3" in cause


def test_reading_from_within_a_broken_batch_does_not_go_back() -> None:
    data = packed(record(0, b"\x01\x02a\0") + b"\xff" * 3, 3)
    noted: list[tuple] = []
    records = _PartitionRecords(
        lambda *what: noted.append(what), 2, PARTITION, MemoryRecords(bytes(data))
    )
    assert records.take() == []
    assert records.next_fetch_offset == 2
    assert noted[0][1] == 2


def test_format_that_is_unknown_is_noted() -> None:
    data = batch([b"a"])
    data[16] = 3
    taken, noted = read(data)
    assert taken == []
    assert noted[0][4] == "record format 3 is unknown"


def test_batch_too_short_to_be_one_is_noted() -> None:
    taken, noted = read(struct.pack(">qi", 0, 1) + b"x")
    assert taken == []
    assert "less than the minimum" in noted[0][4]
    assert noted[0][2] is None


def _gzip_bomb() -> bytes:
    packer = zlib.compressobj(wbits=31)
    chunk = bytes(2**20)
    parts = [packer.compress(chunk) for _ in range(40)]
    return b"".join(parts) + packer.flush()


def _zstd_bomb() -> bytes:
    return zstandard.ZstdCompressor().compress(bytes(40 * 2**20))


@pytest.mark.parametrize(
    ("codec", "data"),
    [
        pytest.param(1, _gzip_bomb, id="gzip"),
        pytest.param(4, _zstd_bomb, id="zstd"),
        pytest.param(3, lambda: kafka.codec.lz4_encode(bytes(40 * 2**20)), id="lz4"),
        pytest.param(
            2, lambda: kafka.codec.snappy_encode(bytes(40 * 2**20)), id="snappy"
        ),
    ],
)
def test_bomb_is_noted_and_not_unpacked(
    monkeypatch: pytest.MonkeyPatch, codec: int, data: Callable[[], bytes]
) -> None:
    monkeypatch.setattr(record_batches, "MOST_BYTES", 2**20)
    taken, noted = read(packed(data(), 1, codec=codec))
    assert taken == []
    assert "unpacks to more than 1 MiB" in noted[0][4]


@pytest.mark.parametrize("codec", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "data", [b"", b"\xff\xff\xff\xff\x07", b"garbage" * 20, b"\x82SNAPPY\0" * 4]
)
def test_garbage_in_a_compressed_batch_is_noted(codec: int, data: bytes) -> None:
    taken, noted = read(packed(data, 1, codec=codec))
    assert taken == []
    assert noted[0][5] is UnreadableRecordError


def test_unknown_codec_is_noted() -> None:
    _, noted = read(packed(b"x", 1, codec=7))
    assert noted[0][4] == "compression type 7 is unknown"


def test_codec_that_is_not_installed_is_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = batch([b"a" * 500], codec=1)
    monkeypatch.setattr(kafka.codec, "has_gzip", lambda: False)
    _, noted = read(data)
    assert noted[0][5] is CodecMissingError
