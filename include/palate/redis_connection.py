"""Connections to Redis, and a sentence for whoever it refuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from redis.connection import SSLConnection

from palate import tls
from palate.errors import AccessDeniedError, ServiceUnavailableError, SettingsError
from palate.settings import Settings

_SECONDS = 10
_WHERE = "REDIS_URL or the Airflow Connection `redis`"


@contextmanager
def open_redis(
    settings: Settings, purpose: str, meanwhile: str
) -> Iterator["redis.Redis"]:
    """Connect to Redis; close the connection at the end.

    :param purpose: what it is for, such as ``the dictionaries``, for the messages
    :param meanwhile: a sentence on what goes on without it
    :raises ServiceUnavailableError: if it does not answer
    :raises AccessDeniedError: if it refuses the login or a command, or is not trusted
    :raises SettingsError: if ``REDIS_URL`` can't be used
    """
    client = redis_client(settings)
    try:
        yield client
    except redis.RedisError as error:
        raise why(client, error, purpose, meanwhile) from None
    finally:
        client.close()


def redis_client(settings: Settings) -> "redis.Redis":
    """Return a client, which is not connected yet; the caller closes it.

    :raises PalateError: if ``REDIS_URL`` is missing or can't be used
    """
    url = settings.redis_url.get_secret_value()
    if not url:
        message = (
            "REDIS_URL is not set. Set it to redis://host:port/0, or set the Airflow "
            "Connection `redis`."
        )
        raise ServiceUnavailableError(message)
    try:
        client = redis.Redis.from_url(
            url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS
        )
    except ValueError as error:
        message = (
            f"REDIS_URL is no URL of a Redis: {error}. Set it to redis://host:port/0, "
            "or to rediss://... for TLS, or correct the Airflow Connection `redis`."
        )
        raise ServiceUnavailableError(message) from None
    ca = _ca(client)
    if ca and (problem := tls.file_problem(ca)):
        message = (
            f"{ca}, the authority of Redis, can't be used: {problem}. Name a file with "
            "its certificate (PEM): ssl_ca_certs in REDIS_URL or in the extra of the "
            "Airflow Connection `redis`."
        )
        raise SettingsError(message)
    return client


def why(
    client: "redis.Redis", error: redis.RedisError, purpose: str, meanwhile: str
) -> AccessDeniedError | ServiceUnavailableError:
    """Return the error, as a sentence for the person who has to act.

    :param purpose: what it is for, such as ``the dictionaries``
    :param meanwhile: a sentence on what goes on without it
    """
    name = f"Redis ({purpose})"
    options = client.connection_pool.connection_kwargs
    host, port = options.get("host", "localhost"), options.get("port", 6379)
    user = options.get("username") or "default"
    if isinstance(error, redis.AuthenticationError):
        return AccessDeniedError(
            f"{name} at {host}:{port} refuses the login of user {user}: the user is "
            f"unknown there, or the password is wrong or missing. Correct {_WHERE}."
        )
    if isinstance(error, redis.exceptions.NoPermissionError):
        return AccessDeniedError(
            f"{name} at {host}:{port} does not let user {user} do it: {error}. The "
            "dictionaries need GET and MGET on all keys, publishing needs SCRIPT, "
            "EVALSHA, GET, SET and DEL on tags:* and palate-version:*; have them "
            "granted (ACL SETUSER), or use another user."
        )
    if isinstance(error, redis.ConnectionError | redis.TimeoutError):
        if _is_encrypted(client):
            problem = tls.problem(host, port, _ca(client))
            if problem:
                return AccessDeniedError(
                    f"{name}: no trusted connection to {host}:{port}: {problem}. "
                    "ssl_ca_certs is the file with the authority's certificate; "
                    f"rediss:// means TLS. Correct {_WHERE}."
                )
        elif tls.is_spoken(host, port):
            return AccessDeniedError(
                f"{name} speaks TLS at {host}:{port}, but is spoken to without. Say "
                "rediss:// and ssl_ca_certs in REDIS_URL, or ssl and ssl_ca_certs in "
                "the extra of the Airflow Connection `redis`."
            )
    return ServiceUnavailableError(
        f"{name} can't be used: {error}. Check that it runs (`make status`) and that "
        f"{_WHERE} is right. {meanwhile}"
    )


def _is_encrypted(client: "redis.Redis") -> bool:
    return issubclass(client.connection_pool.connection_class, SSLConnection)


def _ca(client: "redis.Redis") -> Path | None:
    options: dict[str, Any] = client.connection_pool.connection_kwargs
    found = options.get("ssl_ca_certs")
    return Path(found) if found else None
