import sys
from datetime import UTC, datetime
from types import SimpleNamespace

import kafka.codec
import pytest

from palate.clients.kafka_reader import broker_time, missing_codecs


def test_everything_that_topics_may_need_is_installed() -> None:
    assert missing_codecs() == []


@pytest.mark.parametrize(
    ("codec", "package"),
    [("lz4", "lz4"), ("zstd", "zstandard"), ("snappy", "python-snappy")],
)
def test_missing_codec_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, codec: str, package: str
) -> None:
    monkeypatch.setattr(kafka.codec, f"has_{codec}", lambda: False)
    assert missing_codecs() == [
        f"Topics compressed by {codec} can't be read: install {package}."
    ]


def test_missing_checksums_in_c_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "crc32c", None)
    (sentence,) = missing_codecs()
    assert "install crc32c" in sentence


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [
        pytest.param(0, datetime(1970, 1, 1, tzinfo=UTC), id="epoch"),
        pytest.param(-1, datetime(1969, 12, 31, 23, 59, 59, 999_000, UTC), id="none"),
        pytest.param(
            1_691_820_435_007, datetime(2023, 8, 12, 6, 7, 15, 7_000, UTC), id="exact"
        ),
        pytest.param(2**62, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), id="far"),
        pytest.param(-(2**62), datetime(1, 1, 1, tzinfo=UTC), id="far before"),
    ],
)
def test_broker_time_is_exact_and_within_the_years_there_are(
    milliseconds: int, expected: datetime
) -> None:
    assert broker_time(SimpleNamespace(timestamp=milliseconds)) == expected
