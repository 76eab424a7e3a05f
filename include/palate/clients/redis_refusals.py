"""Refusals of Redis or its client, as a sentence for the person who has to act."""

import socket
from dataclasses import dataclass
from pathlib import Path

import redis
from redis import exceptions
from redis.exceptions import RedisClusterException

from palate.clients import tls
from palate.errors import (
    AccessDeniedError,
    PalateError,
    ServiceUnavailableError,
    SettingsError,
)

_WHERE = "REDIS_URL or the Airflow Connection `redis`"
_NEEDED = (
    "The dictionaries need MGET on all keys; publishing needs EVAL, GET, SET and DEL "
    "on tags:* and palate-version:*; in a cluster each needs CLUSTER SLOTS and "
    "COMMAND. Have them granted (ACL SETUSER), or use another user."
)
# By the first word of the server's answer. Each may pass with time.
_ANSWERS = {
    "OOM": (
        "is full and takes no writes (maxmemory). Raise maxmemory, or remove what else "
        "lies there"
    ),
    "READONLY": (
        "is a replica, which takes no writes. Name the primary, or the address that "
        f"follows it after a failover, in {_WHERE}"
    ),
    "LOADING": "is reading its data from disk after a start; it answers after that",
    "MISCONF": (
        "can't write its data to its disk, and takes no writes until it can. See its "
        "log and its disk"
    ),
    "NOREPLICAS": (
        "has fewer replicas than it demands (min-replicas-to-write), and takes no "
        "writes. Bring them back"
    ),
    "MASTERDOWN": (
        "is a replica that has lost its primary. Name the primary in "
        f"{_WHERE}, or bring it back"
    ),
    "CLUSTERDOWN": (
        "is a node of a cluster that does not serve all slots. See CLUSTER INFO there, "
        "and bring the missing nodes back"
    ),
    "BUSY": "is busy with a script of somebody's. SCRIPT KILL there ends it",
}
_CLASSES: dict[type[Exception], str] = {
    exceptions.OutOfMemoryError: "OOM",
    exceptions.ReadOnlyError: "READONLY",
    exceptions.BusyLoadingError: "LOADING",
    exceptions.MasterDownError: "MASTERDOWN",
    exceptions.ClusterDownError: "CLUSTERDOWN",
}


@dataclass(frozen=True)
class RedisAddress:
    """The address of a Redis, and the user."""

    host: str
    port: int
    user: str = "default"
    database: int = 0
    is_encrypted: bool = False
    ca: Path | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def why(
    address: RedisAddress, error: Exception, purpose: str, meanwhile: str
) -> PalateError:
    """Return the error as a sentence for the person who has to act.

    :param purpose: what it is for, such as ``the dictionaries``
    :param meanwhile: a sentence on what goes on without it
    """
    name = f"Redis ({purpose})"
    refused = _refusal(address, error, name) or _trust(address, error, name)
    if refused:
        return refused
    said = _answer(error) or _no_answer(address, error) or f"can't be used: {error}"
    return ServiceUnavailableError(f"{name} at {address} {said}. {meanwhile}")


def _refusal(address: RedisAddress, error: Exception, name: str) -> PalateError | None:
    text = str(error)
    if text.startswith("DENIED"):
        return AccessDeniedError(
            f"{name} at {address} lets in only who comes from its own machine "
            "(protected mode). Give it a password, or users (ACL SETUSER)."
        )
    if isinstance(error, redis.AuthenticationError) or text.startswith("NOAUTH"):
        return AccessDeniedError(
            f"{name} at {address} refuses the login of user {address.user}: the user "
            f"is unknown there, or the password is wrong or missing. Correct {_WHERE}."
        )
    if (
        isinstance(error, exceptions.NoPermissionError)
        or "NOPERM" in text
        or "executing the script can't" in text
    ):
        return AccessDeniedError(
            f"{name} at {address} does not let user {address.user} do it: {text}. "
            f"{_NEEDED}"
        )
    if "SELECT is not allowed" in text or "'db' must be 0" in text:
        return SettingsError(
            f"{name} at {address} is a cluster, which has no database "
            f"{address.database}. Say /0 in {_WHERE}."
        )
    if "index is out of range" in text:
        return SettingsError(
            f"{name} at {address} has no database {address.database}. Correct {_WHERE}."
        )
    return None


def _trust(address: RedisAddress, error: Exception, name: str) -> PalateError | None:
    """Check whether TLS prevented a connection."""
    if not _is_away(error):
        return None
    if not address.is_encrypted:
        if not tls.is_spoken(address.host, address.port):
            return None
        return AccessDeniedError(
            f"{name} speaks TLS at {address}, but is spoken to without. Say rediss:// "
            "and ssl_ca_certs in REDIS_URL, or ssl and ssl_ca_certs in the extra of "
            "the Airflow Connection `redis`."
        )
    problem = tls.problem(address.host, address.port, address.ca)
    if problem is None:
        return None
    return AccessDeniedError(
        f"{name}: no trusted connection to {address}: {problem}. ssl_ca_certs is the "
        f"file with the authority's certificate; rediss:// means TLS. Correct {_WHERE}."
    )


def _is_away(error: Exception) -> bool:
    if isinstance(error, exceptions.BusyLoadingError | exceptions.MaxConnectionsError):
        return False
    return isinstance(
        error, redis.ConnectionError | redis.TimeoutError | RedisClusterException
    )


def _answer(error: Exception) -> str | None:
    for kind, word in _CLASSES.items():
        if isinstance(error, kind):
            return _ANSWERS[word]
    text = str(error)
    if "max number of clients" in text:
        return "has no connection left (maxclients). See who holds them: CLIENT LIST"
    # In a script the word is not the first one.
    words = text.replace(":", " ").split()[:8]
    return next((_ANSWERS[word] for word in words if word in _ANSWERS), None)


def _no_answer(address: RedisAddress, error: Exception) -> str | None:
    if isinstance(error, RedisClusterException):
        return (
            f"is a node of a cluster that can't be used: {_first_sentence(error)}. "
            "The nodes must be reachable from here by the addresses that CLUSTER SLOTS "
            "announces (cluster-announce-ip, cluster-announce-hostname)"
        )
    if not _is_away(error):
        return None
    try:
        socket.getaddrinfo(address.host, address.port)
    except OSError:
        return f"can't be found: the name {address.host} is not known. Correct {_WHERE}"
    if isinstance(error, redis.TimeoutError):
        reason = "does not answer"
    elif "refused" in str(error).lower():
        reason = "does not answer: nobody listens there"
    else:
        reason = f"does not answer: {_first_sentence(error)}"
    return f"{reason}. Check that it runs (`make status`) and that {_WHERE} is right"


def _first_sentence(error: Exception) -> str:
    return str(error).partition(". ")[0].rstrip(".")
