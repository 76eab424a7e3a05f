"""Redis, from Debian's package."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from deploy.local.certificates import Authority
from deploy.local.errors import StackError
from deploy.local.ports import HOST, Ports, listens
from deploy.local.secrets import Secrets, write_private
from deploy.local.settings_files import render

_ONCE = Retry(NoBackoff(), 0)
PALATE, OWNER, SIMULATOR, CELERY = "palate", "owner", "simulator", "celery"
# Eight digits of an id: the queue `default` begins with four of them.
_ENTRIES = f"%W~{'[0-9a-f]' * 8}*"
_PALATE = "%R~* ~tags:* ~palate-version:* +mget +eval +get +set +del +info +ping"
# What each user may do, in the words of ACL SETUSER.
RIGHTS = {
    PALATE: _PALATE,
    OWNER: f"{_PALATE} {_ENTRIES}",  # a person's shell: both
    SIMULATOR: f"{_ENTRIES} +set +ping",
    CELERY: (
        "~default* ~*celery* ~_kombu.* ~unacked* &* +@all -@admin -@dangerous +info"
    ),
}


def users(secrets: Secrets) -> dict[str, str]:
    """Return the password of each user, except the administrator."""
    return {
        PALATE: secrets.redis_palate,
        OWNER: secrets.redis_owner,
        SIMULATOR: secrets.redis_simulator,
        CELERY: secrets.redis_celery,
    }


def prepare(var: Path, ports: Ports, authority: Authority, secrets: Secrets) -> None:
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
        password=secrets.redis,
        users=users(secrets),
        rights=RIGHTS,
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
    """Return whether the server answers a PING."""
    if not listens(urlsplit(url).port or 0):
        return False
    try:
        with redis.Redis.from_url(url, socket_timeout=2, retry=_ONCE) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _settings(var: Path) -> Path:
    return var / "redis" / "redis.conf"
