"""A folder and an S3 server do the same for whoever keeps files in them."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest

from palate.errors import ServiceUnavailableError, SettingsError
from palate.files.objects import ObjectMissingError, Store, open_store
from palate.files.settings import IntakeSettings
from tests.intake.s3_server import SECRET, USER, S3Server, s3_server

CONTENT = bytes(range(256)) * 4_000
DIGEST = sha256(CONTENT).digest()
KEY = f"acme/files/{DIGEST.hex()}.json"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3") / "objects") as found:
        yield found


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.s3)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> IntakeSettings:
    """Give a bucket of its own in each kind of store."""
    bucket = f"b-{uuid4().hex[:12]}"
    if request.param == "s3":
        return of_server(request.getfixturevalue("server"), bucket)
    return IntakeSettings(
        dwh_dsn="x",
        palate_intake_store=tmp_path.as_uri(),
        palate_intake_bucket=bucket,
    )


def of_server(server: S3Server, bucket: str = "palate-files") -> IntakeSettings:
    return IntakeSettings(
        dwh_dsn="x",
        palate_intake_store=server.url,
        palate_intake_store_user=USER,
        palate_intake_store_secret=SECRET,
        palate_intake_bucket=bucket,
    )


@pytest.fixture
def store(settings: IntakeSettings) -> Store:
    found = open_store(settings)
    assert found.prepare()
    return found


def put(store: Store, key: str = KEY, content: bytes = CONTENT) -> str:
    return store.put(key, io.BytesIO(content), sha256(content).digest())


def content_of(store: Store, key: str = KEY) -> bytes:
    with store.open(key) as chunks:
        return b"".join(chunks)


def test_bucket_is_made_once(settings: IntakeSettings) -> None:
    assert open_store(settings).prepare()
    assert not open_store(settings).prepare()


def test_object_comes_back_as_it_was(store: Store) -> None:
    etag = put(store)
    assert content_of(store) == CONTENT
    assert etag.startswith('"')
    (found,) = store.list()
    assert found.key == KEY
    assert abs(datetime.now(UTC) - found.modified) < timedelta(minutes=1)
    assert store.url(KEY).endswith(f"/{KEY}")


def test_object_is_never_overwritten(store: Store) -> None:
    first = put(store)
    assert put(store) == first
    assert put(store, KEY, b"other bytes")
    assert content_of(store) == CONTENT


def test_of_many_writers_at_once_one_wins(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        etags = set(pool.map(lambda _: put(store), range(8)))
    assert len(etags) == 1
    assert content_of(store) == CONTENT
    assert [one.key for one in store.list()] == [KEY]


def test_removed_object_is_missing(store: Store) -> None:
    put(store)
    store.remove(KEY)
    store.remove(KEY)
    with pytest.raises(ObjectMissingError), store.open(KEY):
        pass
    assert list(store.list()) == []


def test_list_is_of_a_prefix(store: Store) -> None:
    keys = [f"{company}/files/{n}.json" for company in ("a", "b") for n in range(3)]
    for key in keys:
        put(store, key, b"{}")
    assert [one.key for one in store.list()] == keys
    assert [one.key for one in store.list("b/")] == keys[3:]


def test_without_a_bucket_the_error_says_what_to_do(settings: IntakeSettings) -> None:
    store = open_store(settings)
    for work in (lambda: put(store), store.probe, lambda: list(store.list())):
        with pytest.raises(ServiceUnavailableError, match="palate intake prepare"):
            work()


def test_probe_writes(store: Store) -> None:
    store.probe()
    store.probe()


@pytest.mark.s3
def test_store_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    with s3_server(tmp_path / "objects") as server:
        settings = of_server(server)
        store = open_store(settings)
        store.prepare()
        put(store)
        server.stop()
        for work in (lambda: put(store), store.probe, lambda: content_of(store)):
            with pytest.raises(ServiceUnavailableError, match="does not answer"):
                work()
        server.start()
        assert content_of(store) == CONTENT
        wrong = settings.model_copy(update={"palate_intake_store_user": "nobody"})
        with pytest.raises(ServiceUnavailableError, match="refuses"):
            open_store(wrong).probe()


@pytest.mark.s3
def test_damaged_upload_is_refused_by_the_store(server: S3Server) -> None:
    settings = of_server(server)
    store = open_store(settings)
    store.prepare()
    with pytest.raises(ServiceUnavailableError):
        store.put("a/files/b.json", io.BytesIO(b"other"), DIGEST)
    with pytest.raises(ObjectMissingError), store.open("a/files/b.json"):
        pass


@pytest.mark.parametrize(
    "where", ["", "file://relative/x", "ftp://host", "s3://bucket"]
)
def test_stores_that_are_none_are_refused(where: str) -> None:
    with pytest.raises(SettingsError, match="PALATE_INTAKE_STORE"):
        open_store(IntakeSettings(dwh_dsn="x", palate_intake_store=where))
