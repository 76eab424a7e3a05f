"""Redis, from Debian's package."""

import shutil
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from deploy.local.errors import StackError

_ONCE = Retry(NoBackoff(), 0)


def command(configuration: Path) -> list[str]:
    """Return the command that runs the server in the foreground.

    :raises StackError: if the server isn't installed
    """
    found = shutil.which("redis-server")
    if not found:
        raise StackError(
            "`redis-server` is missing. Install it: apt-get install redis-server"
        )
    return [found, str(configuration)]


def answers(url: str) -> bool:
    """Tell whether the server answers a PING."""
    try:
        with redis.Redis.from_url(url, socket_timeout=2, retry=_ONCE) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
