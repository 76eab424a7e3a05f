"""No password of the stack is where others can read it."""

import stat
from pathlib import Path
from urllib.parse import quote

from deploy.local import postgres
from deploy.local.secrets import Secrets
from deploy.local.stack import Stack
from tests.redis_servers import wait_until


def test_log_of_postgres_has_verifiers_only(services: Stack) -> None:
    secrets = Secrets.load(services.var / "secrets.json")
    port = services.ports.postgres
    superuser = postgres.dsn(port, "postgres", secrets.postgres, "postgres")
    logged = quote("-c log_statement=all -c log_min_messages=log")
    postgres.set_passwords(f"{superuser}?options={logged}", {"palate": secrets.palate})
    log = services.var / "log" / "postgres.log"
    wait_until(lambda: 'ALTER ROLE "palate" PASSWORD' in log.read_text())
    assert "PASSWORD 'SCRAM-SHA-256$" in log.read_text()
    assert secrets.palate not in log.read_text()
    assert postgres.answers(services.env()["DWH_DSN"])


def test_other_users_see_nothing_in_the_state_folder(services: Stack) -> None:
    others = stat.S_IRWXO | stat.S_IRWXG
    assert not services.var.stat().st_mode & others & ~(stat.S_IXGRP | stat.S_IXOTH)
    for name in ("log", "redis", "kafka", "airflow", "tls"):
        assert not (services.var / name).stat().st_mode & others, name
    assert not _readable(services.var / "postgres" / "data")


def _readable(folder: Path) -> bool:
    # It lies elsewhere where PostgreSQL's account can't enter this folder.
    return folder.exists() and bool(folder.stat().st_mode & stat.S_IRWXO)
