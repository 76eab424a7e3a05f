"""Connections to Redis, one server or a cluster."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisClusterException
from redis.retry import Retry

from palate.clients import tls
from palate.clients.redis_refusals import RedisAddress, why
from palate.errors import ServiceUnavailableError, SettingsError
from palate.settings import Settings

Client = redis.Redis | redis.RedisCluster
# RedisClusterException has none of the others as its base.
ERRORS = (redis.RedisError, RedisClusterException)

_SECONDS = 10
_ATTEMPTS = 3
_EXAMPLE = "redis://[user:password@]host:port/0, or rediss://... for TLS"
# One piece per round trip: Redis serves nobody else while it answers one.
_MGET_KEYS = 500


@contextmanager
def open_redis(settings: Settings, purpose: str, meanwhile: str) -> Iterator[Client]:
    """Connect to Redis; close the connection at the end.

    :param purpose: what it is for, such as ``the dictionaries``, for the messages
    :param meanwhile: a sentence on what goes on without it
    :raises ServiceUnavailableError: if it does not answer, or accepts nothing now
    :raises AccessDeniedError: if it refuses the login or a command, or is not trusted
    :raises SettingsError: if ``REDIS_URL`` can't be used
    """
    address = address_of(settings)
    try:
        client = connect(settings)
        try:
            yield client
        finally:
            client.close()
    except ERRORS as error:
        raise why(address, error, purpose, meanwhile) from None


def connect(settings: Settings) -> Client:
    """Return a connected client; the caller closes it.

    The server says whether it is a node of a cluster.

    :raises PalateError: if ``REDIS_URL`` is missing or can't be used
    :raises redis.RedisError: if it can't be reached, or refuses the login
    """
    address_of(settings)
    url = settings.redis_url.get_secret_value()
    options = {"socket_timeout": _SECONDS, "socket_connect_timeout": _SECONDS}
    client = redis.Redis.from_url(url, **options)
    try:
        if not _is_cluster(client):
            return client
        # RedisCluster asks too, but would swallow a refusal.
        client.execute_command("CLUSTER SLOTS")
    except BaseException:
        client.close()
        raise
    client.close()
    retry = Retry(ExponentialBackoff(cap=1), _ATTEMPTS)
    return redis.RedisCluster.from_url(url, retry=retry, **options)


def address_of(settings: Settings) -> RedisAddress:
    """Return the address in ``REDIS_URL``, without its password.

    :raises ServiceUnavailableError: if it is not set
    :raises SettingsError: if it can't be used; the text repeats nothing of it, since a
        mistyped one may have its password anywhere
    """
    url = settings.redis_url.get_secret_value()
    if not url:
        message = (
            f"REDIS_URL is not set. Set it to {_EXAMPLE}, or set the Airflow "
            "Connection `redis`."
        )
        raise ServiceUnavailableError(message)
    if problem := _problem(url):
        message = (
            f"REDIS_URL can't be used: {problem}. Set it to {_EXAMPLE}, or correct the "
            "Airflow Connection `redis`."
        )
        raise SettingsError(message)
    with redis.Redis.from_url(url) as client:
        options = client.connection_pool.connection_kwargs
        ca = options.get("ssl_ca_certs")
        address = RedisAddress(
            host=options.get("host", options.get("path", "localhost")),
            port=options.get("port", 6379),
            user=options.get("username") or "default",
            database=options.get("db", 0),
            is_encrypted=url.lower().startswith("rediss:"),
            ca=Path(ca) if ca else None,
        )
    if address.ca and (problem := tls.file_problem(address.ca)):
        message = (
            f"{address.ca}, the authority of Redis, can't be used: {problem}. Name a "
            "file with its certificate (PEM): ssl_ca_certs in REDIS_URL or in the "
            "extra of the Airflow Connection `redis`."
        )
        raise SettingsError(message)
    return address


def read_values(client: Client, keys: Sequence[str]) -> list[Any]:
    """Return the value of each key, None for a missing key or another type."""
    found: list[Any] = []
    for start in range(0, len(keys), _MGET_KEYS):
        some = keys[start : start + _MGET_KEYS]
        if isinstance(client, redis.RedisCluster):
            # A cluster refuses keys of several slots in one command.
            with client.pipeline(transaction=False) as pipeline:
                for key in some:
                    pipeline.execute_command("MGET", key)
                found += [value for (value,) in pipeline.execute()]
        else:
            found += client.mget(some)
    return found


def _is_cluster(client: "redis.Redis") -> bool:
    connection = client.connection_pool.get_connection()
    try:
        # Every user may run it; a proxy or a Redis before 6.0 doesn't know it.
        connection.send_command("HELLO")
        answer = connection.read_response()
    except redis.AuthenticationError:
        raise
    except redis.ResponseError:
        return False
    finally:
        client.connection_pool.release(connection)
    if isinstance(answer, list):
        answer = dict(zip(answer[::2], answer[1::2], strict=True))
    return answer.get(b"mode", answer.get("mode")) in (b"cluster", "cluster")


def _problem(url: str) -> str | None:
    """Return what is wrong with an address, without repeating any of it."""
    try:
        parts = urlsplit(url)
        if parts.scheme.lower() not in ("redis", "rediss", "unix"):
            return "it does not begin with redis:// or rediss://"
        if "@" in parts.path + parts.query + parts.fragment:
            return (
                "it has a / ? or # before its @. In a user or a password write %2F, "
                "%3F, %23"
            )
        if parts.scheme != "unix" and not parts.hostname:
            return "it names no host"
        _ = parts.port
    except ValueError:
        return "its host or port can't be read; a password comes before an @"
    if parts.fragment:
        return "it has a #. In a password write %23"
    number = parts.path.strip("/")
    if parts.scheme != "unix" and number and not number.isdecimal():
        return "what follows the port is no number of a database"
    try:
        with redis.Redis.from_url(url) as client:
            client.connection_pool.make_connection()
    except (ValueError, TypeError, redis.RedisError):
        return "an option after its ? is not known, or has a value that can't be used"
    return None
