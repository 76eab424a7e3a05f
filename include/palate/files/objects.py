"""Where files are kept: an S3 store, or a folder; each object is written once.

Both do the same for whoever uses them; one suite of tests runs against both.
"""

import os
import stat
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import urlsplit

from palate.errors import ServiceUnavailableError, SettingsError
from palate.files.settings import IntakeSettings

CHUNK = 256 * 2**10
# What the readiness of the door is looked at with; no company is called so.
_PROBE = "palate-probe/probe"
_CONNECT_SECONDS = 3
_READ_SECONDS = 20
# Of S3's answers: somebody else's object is there, or is being written.
_IS_THERE = ("PreconditionFailed", "412")
_IN_CONFLICT = ("ConditionalRequestConflict", "409")
_NOT_THERE = ("NoSuchKey", "NotFound", "404")
_NO_BUCKET = ("NoSuchBucket",)


def lock_name(key: str) -> str:
    """Return the lock of an object: who writes and enters it keeps its remover away."""
    return f"palate intake object {key}"


class ObjectMissingError(Exception):
    """Raised where an object is not in the store, which answers."""


@dataclass(frozen=True)
class Found:
    """An object that is there: its key, since when."""

    key: str
    modified: datetime


class Store(Protocol):
    """A place for objects. Each call may raise ServiceUnavailableError."""

    def prepare(self) -> bool:
        """Make the bucket if it is missing; return whether it was."""

    def put(self, key: str, file: IO[bytes], sha256: bytes) -> str:
        """Keep a file, unless there is an object of this key; return the etag.

        :param file: at its beginning
        :param sha256: the digest of all of it, which the store checks
        """

    @contextmanager
    def open(self, key: str) -> Iterator[Iterator[bytes]]:
        """Give an object's bytes, in chunks.

        :raises ObjectMissingError: if it is not there
        """

    def remove(self, key: str) -> None:
        """Remove an object, if it is there."""

    def list(self, prefix: str = "") -> Iterator[Found]:
        """Yield the objects that are there, by key."""

    def url(self, key: str) -> str:
        """Return where an object is, for an event."""

    def probe(self) -> None:
        """Write something, as a file would be."""


class Folder:
    """A store in a folder of this machine, for one that has no other."""

    def __init__(self, root: Path, bucket: str) -> None:
        """Keep where it is; nothing is made yet."""
        self._bucket = root / bucket

    def prepare(self) -> bool:
        """Make the bucket if it is missing; return whether it was."""
        with self._answers():
            try:
                self._bucket.mkdir(parents=True, mode=0o700)
            except FileExistsError:
                return False
            return True

    def put(self, key: str, file: IO[bytes], sha256: bytes) -> str:
        """Keep a file, unless there is an object of this key; return the etag."""
        path = self._bucket / key
        with self._answers():
            self._check_bucket()
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{path.name}.{os.getpid()}.{id(file)}")
            try:
                with part.open("wb") as copy:
                    while chunk := file.read(CHUNK):
                        copy.write(chunk)
                    copy.flush()
                    os.fsync(copy.fileno())
                # Fails where somebody was faster; then it is the same content.
                with suppress(FileExistsError):
                    os.link(part, path)
                _sync(path.parent)
            finally:
                part.unlink(missing_ok=True)
        return f'"{sha256.hex()}"'

    @contextmanager
    def open(self, key: str) -> Iterator[Iterator[bytes]]:
        """Give an object's bytes, in chunks."""
        with self._answers():
            self._check_bucket()
            try:
                file = (self._bucket / key).open("rb")
            except FileNotFoundError:
                raise ObjectMissingError(key) from None
            with file:
                yield iter(lambda: file.read(CHUNK), b"")

    def remove(self, key: str) -> None:
        """Remove an object, if it is there."""
        with self._answers():
            (self._bucket / key).unlink(missing_ok=True)

    def list(self, prefix: str = "") -> Iterator[Found]:
        """Yield the objects that are there, by key."""
        with self._answers():
            self._check_bucket()
            for path in sorted(self._bucket.rglob("*")):
                key = path.relative_to(self._bucket).as_posix()
                if not key.startswith(prefix) or path.name.startswith("."):
                    continue
                with suppress(FileNotFoundError):
                    about = path.stat()
                    if stat.S_ISREG(about.st_mode):
                        yield Found(key, datetime.fromtimestamp(about.st_mtime, UTC))

    def url(self, key: str) -> str:
        """Return where an object is, for an event."""
        return (self._bucket / key).as_uri()

    def probe(self) -> None:
        """Write something, as a file would be."""
        with self._answers():
            self._check_bucket()
            path = self._bucket / _PROBE
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"")

    def _check_bucket(self) -> None:
        if not self._bucket.is_dir():
            raise ServiceUnavailableError(_no_bucket(str(self._bucket)))

    @contextmanager
    def _answers(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            message = (
                f"The store of files at {self._bucket} can't be used: "
                f"{error.strerror or error}. Mend it; senders try again."
            )
            raise ServiceUnavailableError(message) from None


class S3:
    """A store that speaks S3's protocol."""

    def __init__(self, settings: IntakeSettings) -> None:
        """Keep where it is; it is asked by the first call."""
        import boto3
        from botocore.config import Config

        self._endpoint = settings.palate_intake_store
        self._bucket = settings.palate_intake_bucket
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=self._endpoint,
            region_name="us-east-1",
            aws_access_key_id=settings.palate_intake_store_user,
            aws_secret_access_key=settings.palate_intake_store_secret.get_secret_value(),
            config=Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                retries={"total_max_attempts": 2},
                s3={"addressing_style": "path"},
                max_pool_connections=64,
            ),
        )

    def prepare(self) -> bool:
        """Make the bucket if it is missing; return whether it was."""
        with self._answers():
            try:
                self._client.head_bucket(Bucket=self._bucket)
            except self._client.exceptions.ClientError as error:
                if _code(error) not in _NOT_THERE + _NO_BUCKET:
                    raise
            else:
                return False
            mine = (
                self._client.exceptions.BucketAlreadyOwnedByYou,
                self._client.exceptions.BucketAlreadyExists,
            )
            try:
                self._client.create_bucket(Bucket=self._bucket)
            except mine:
                return False  # another process was faster
            return True

    def put(self, key: str, file: IO[bytes], sha256: bytes) -> str:
        """Keep a file, unless there is an object of this key; return the etag."""
        start = file.tell()
        with self._answers():
            while True:
                try:
                    answer = self._client.put_object(
                        Bucket=self._bucket,
                        Key=key,
                        Body=file,
                        IfNoneMatch="*",
                        ChecksumSHA256=b64encode(sha256).decode(),
                    )
                    return str(answer["ETag"])
                except self._client.exceptions.ClientError as error:
                    file.seek(start)
                    if _code(error) in _IS_THERE:
                        head = self._client.head_object(Bucket=self._bucket, Key=key)
                        return str(head["ETag"])
                    if _code(error) not in _IN_CONFLICT:
                        raise

    @contextmanager
    def open(self, key: str) -> Iterator[Iterator[bytes]]:
        """Give an object's bytes, in chunks."""
        with self._answers():
            try:
                found = self._client.get_object(Bucket=self._bucket, Key=key)
            except self._client.exceptions.ClientError as error:
                if _code(error) in _NOT_THERE:
                    raise ObjectMissingError(key) from None
                raise
            with closing(found["Body"]) as body:
                yield body.iter_chunks(CHUNK)

    def remove(self, key: str) -> None:
        """Remove an object, if it is there."""
        with self._answers():
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def list(self, prefix: str = "") -> Iterator[Found]:
        """Yield the objects that are there, by key."""
        with self._answers():
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
                for one in page.get("Contents", []):
                    yield Found(one["Key"], one["LastModified"])

    def url(self, key: str) -> str:
        """Return where an object is, for an event."""
        return f"s3://{self._bucket}/{key}"

    def probe(self) -> None:
        """Write something, as a file would be."""
        with self._answers():
            self._client.put_object(Bucket=self._bucket, Key=_PROBE, Body=b"")

    @contextmanager
    def _answers(self) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            if _code(error) in _NO_BUCKET:
                message = _no_bucket(self._bucket)
            else:
                message = (
                    f"The store of files at {self._endpoint} refuses: {_code(error)}. "
                    "Check bucket, user and secret; senders try again."
                )
            raise ServiceUnavailableError(message) from None
        except BotoCoreError as error:
            message = (
                f"The store of files at {self._endpoint} does not answer "
                f"({type(error).__name__}). Does it run? Senders try again."
            )
            raise ServiceUnavailableError(message) from None


def open_store(settings: IntakeSettings) -> Store:
    """Return the store that ``PALATE_INTAKE_STORE`` names.

    :raises SettingsError: if it names none
    """
    where = urlsplit(settings.palate_intake_store)
    if where.scheme == "file" and where.path.startswith("/") and not where.netloc:
        return Folder(Path(where.path), settings.palate_intake_bucket)
    if where.scheme in ("http", "https") and where.netloc:
        return S3(settings)
    message = (
        "PALATE_INTAKE_STORE must be file:///<folder> or the address of an S3 store, "
        "http(s)://<host>."
    )
    raise SettingsError(message)


def _no_bucket(name: str) -> str:
    return f"The store of files has no bucket {name}. Run `palate intake prepare`."


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
