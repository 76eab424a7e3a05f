"""Redis, from Debian's package."""

import shutil
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from deploy.local.certificates import Authority
from deploy.local.errors import StackError
from deploy.local.ports import HOST, Ports
from deploy.local.secrets import write_private
from deploy.local.settings_files import render

_ONCE = Retry(NoBackoff(), 0)


def prepare(var: Path, ports: Ports, authority: Authority, password: str) -> None:
    """Write the settings."""
    folder = _settings(var).parent
    folder.mkdir(exist_ok=True)
    text = render(
        "redis.conf",
        address=HOST,
        port=ports.redis,
        secured_port=ports.redis_secured,
        certificate=authority.server,
        authority=authority.certificate,
        password=password,
        folder=folder,
    )
    write_private(_settings(var), text)


def command(var: Path) -> list[str]:
    """Return the command that runs the server in the foreground.

    :raises StackError: if the server isn't installed
    """
    found = shutil.which("redis-server")
    if not found:
        raise StackError(
            "`redis-server` is missing. Install it: apt-get install redis-server"
        )
    return [found, str(_settings(var))]


def answers(url: str) -> bool:
    """Tell whether the server answers a PING."""
    try:
        with redis.Redis.from_url(url, socket_timeout=2, retry=_ONCE) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _settings(var: Path) -> Path:
    return var / "redis" / "redis.conf"
