"""PgBouncer in front of a test's warehouse."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import SecretStr

from deploy.local.cluster import server_user
from deploy.local.ports import HOST, Ports
from palate.settings import Settings

_PROGRAM = "/usr/sbin/pgbouncer"


@contextmanager
def pooled(settings: Settings, mode: str, **options: object) -> Iterator[Settings]:
    """Run PgBouncer; give the settings with a DSN that leads to it.

    :param mode: its ``pool_mode``
    :param options: more of its settings; all others are the defaults
    """
    parts = conninfo_to_dict(settings.dwh_dsn.get_secret_value())
    port = Ports.free().postgres
    lines = [
        "[databases]",
        f"* = host={parts['host']} port={parts['port']}",
        "[pgbouncer]",
        f"listen_addr = {HOST}",
        f"listen_port = {port}",
        "unix_socket_dir =",
        "auth_type = scram-sha-256",
        f"pool_mode = {mode}",
        *(f"{name} = {value}" for name, value in options.items()),
    ]
    # Below the system's own folder: PgBouncer's account has to get there.
    with tempfile.TemporaryDirectory(prefix="palate-pooler-") as made:
        folder = Path(made)
        users, configuration = folder / "users", folder / "pgbouncer.ini"
        users.write_text(f'"{parts["user"]}" "{parts["password"]}"\n')
        lines.append(f"auth_file = {users}")
        configuration.write_text("\n".join(lines))
        account = server_user()
        if account:  # it does not run as root
            for path in (folder, users, configuration):
                shutil.chown(path, account)
        command = [_PROGRAM, "-q", *(["-u", account] if account else [])]
        log = folder / "log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [*command, str(configuration)], stdout=output, stderr=output
            )
        try:
            dsn = make_conninfo(settings.dwh_dsn.get_secret_value(), port=port)
            _wait(dsn, process, log)
            yield settings.model_copy(update={"dwh_dsn": SecretStr(dsn)})
        finally:
            process.terminate()
            process.wait(10)


def _wait(dsn: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(dsn, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{error}: {log.read_text()}") from error
            time.sleep(0.05)
        else:
            return
