"""A PostgreSQL of its own whose table of locks is as small as PostgreSQL makes it."""

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from deploy.local import postgres
from deploy.local.cluster import Cluster, server_user
from deploy.local.ports import Ports
from deploy.local.secrets import Secrets
from deploy.local.stack import Stack

# What initdb writes, in place of what the local stack sets.
_DEFAULTS = "max_locks_per_transaction = 64\nmax_connections = 100\nfsync = off\n"


@contextmanager
def with_default_lock_table(services: Stack) -> Iterator[Stack]:
    """Run one more PostgreSQL; give the stack as it is with it in place of its own."""
    with tempfile.TemporaryDirectory(prefix="palate-locks-") as made:
        var = Path(made)
        var.chmod(0o755)
        secrets = (services.var / "secrets.json").read_bytes()
        (var / "secrets.json").write_bytes(secrets)
        passwords = Secrets.load(var / "secrets.json")
        port = Ports.free().postgres
        postgres.prepare(var, port, passwords.postgres)
        data = Cluster(var).folder
        with (data / "postgresql.conf").open("a") as settings:
            settings.write(_DEFAULTS)
        account = server_user()
        with (var / "log").open("w") as output:
            process = subprocess.Popen(
                Cluster(var).command,
                user=account,
                group=account,
                extra_groups=[] if account else None,
                stdout=output,
                stderr=output,
                cwd="/",
            )
        try:
            superuser = postgres.dsn(port, "postgres", passwords.postgres, "postgres")
            _wait(superuser, process, var / "log")
            postgres.make_databases(superuser, postgres.role_passwords(passwords))
            yield Stack(var, replace(services.ports, postgres=port))
        finally:
            process.send_signal(signal.SIGINT)  # "fast"
            process.wait(30)
            Cluster(var).wipe()


def _wait(dsn: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 60
    while not postgres.answers(dsn):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(log.read_text())
        time.sleep(0.05)
