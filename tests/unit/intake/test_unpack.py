"""Packed bodies, whole and broken, in chunks of any size."""

import gzip
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.files.records import Limits
from palate.files.refusals import Reason, RefusedError
from palate.intake.unpack import Gunzip


def unpacked(packed: bytes, size: int | None = None) -> bytes:
    reading = Gunzip(Limits())
    size = size or len(packed) or 1
    found = b"".join(
        chunk
        for at in range(0, len(packed), size)
        for chunk in reading.feed(packed[at : at + size])
    )
    reading.finish()
    return found


def refused(packed: bytes) -> Reason:
    with pytest.raises(RefusedError) as caught:
        unpacked(packed)
    with pytest.raises(RefusedError) as in_pieces:
        unpacked(packed, 7)
    assert in_pieces.value.reason is caught.value.reason
    return caught.value.reason


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(1, 80))
def test_several_members_are_one_file(parts: list[bytes], size: int) -> None:
    packed = b"".join(map(gzip.compress, parts))
    assert unpacked(packed, size) == unpacked(packed) == b"".join(parts)


def test_large_files_come_in_bounded_chunks() -> None:
    content = random.Random(1).randbytes(2**20).hex().encode() * 2
    reading = Gunzip(Limits())
    chunks = list(reading.feed(gzip.compress(content)))
    reading.finish()
    assert b"".join(chunks) == content
    assert max(map(len, chunks)) <= 2**18


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b'{"a": 1}',
        gzip.compress(b'{"a": 1}')[:-1],
        gzip.compress(b'{"a": 1}')[:5],
        gzip.compress(b'{"a": 1}') + b"junk",
        gzip.compress(b'{"a": 1}') + gzip.compress(b"{}")[:-1],
        gzip.compress(b'{"a": 1}')[:-8] + bytes(8),
    ],
    ids=["nothing", "plain", "cut", "cut head", "junk", "cut member", "wrong sum"],
)
def test_broken_bodies_are_refused(packed: bytes) -> None:
    assert refused(packed) is Reason.BAD_GZIP


def test_bombs_are_refused_before_they_unpack() -> None:
    reading = Gunzip(Limits())
    bomb = gzip.compress(b" " * 300_000_000, compresslevel=9)
    chunks: list[int] = []
    with pytest.raises(RefusedError) as caught:
        chunks.extend(len(chunk) for chunk in reading.feed(bomb))
    assert caught.value.reason is Reason.PACKED_TOO_TIGHTLY
    assert 0 < sum(chunks) <= 101 * len(bomb)
    # What is small may be packed as tightly as it likes.
    assert unpacked(gzip.compress(b" " * 1_000_000)) == b" " * 1_000_000
