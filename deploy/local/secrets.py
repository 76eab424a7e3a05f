"""Passwords and keys, created at the first start and kept in the state folder."""

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self


def _password() -> str:
    # Letters and digits only: it is used in URLs, configuration files and shells.
    return secrets.token_hex(16)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


@dataclass(frozen=True)
class Secrets:
    """One set per state folder."""

    postgres: str = field(default_factory=_password)
    palate: str = field(default_factory=_password)
    tasks: str = field(default_factory=_password)
    airflow: str = field(default_factory=_password)
    redis: str = field(default_factory=_password)
    redis_palate: str = field(default_factory=_password)
    redis_owner: str = field(default_factory=_password)
    redis_simulator: str = field(default_factory=_password)
    redis_celery: str = field(default_factory=_password)
    kafka: str = field(default_factory=_password)
    kafka_broker: str = field(default_factory=_password)
    intake: str = field(default_factory=_password)
    mart: str = field(default_factory=_password)
    airline_postgres: str = field(default_factory=_password)
    airline: str = field(default_factory=_password)
    airline_standby: str = field(default_factory=_password)
    airline_connector: str = field(default_factory=_password)
    airline_reader: str = field(default_factory=_password)
    airline_monitor: str = field(default_factory=_password)
    metrics: str = field(default_factory=_password)
    admin: str = field(default_factory=_password)
    fernet_key: str = field(default_factory=_fernet_key)
    jwt_secret: str = field(default_factory=_password)
    api_secret: str = field(default_factory=_password)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return the secrets of this folder; missing ones are created."""
        known = json.loads(path.read_text()) if path.exists() else {}
        found = cls(**known)
        if asdict(found) != known:
            write_private(path, json.dumps(asdict(found), indent=1) + "\n")
        return found


def write_private(path: Path, text: str) -> None:
    """Replace the file's content atomically, readable by its owner only."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(
        os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w"
    ) as f:
        f.write(text)
    draft.replace(path)
