"""A streaming replica for analysts: how far it is behind, and what it refuses."""

import os
import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from bench.samples import Samples
from bench.services import Services, console
from bench.store import stage
from bench.system import growth
from deploy.local import cluster, postgres
from deploy.local.ports import Ports
from deploy.local.secrets import Secrets
from palate.schema.migrate import migrate

DATABASE = "bench_replica"
ANALYST = "bench_analyst"
BATCH = 1_000

_SECONDS_TO_WAIT = 120
_POLL_SECONDS = 0.005
# An analyst's query: every line of every order's newest version.
_REPORT = (
    "SELECT category_name, count(*), count(DISTINCT order_id), sum(quantity)"
    " FROM dds.v_order_item GROUP BY category_name"
)


@dataclass
class Following:
    """Seconds from a commit until the replica shows it, and reports meanwhile."""

    lag: Samples = field(default_factory=Samples)
    reports: Samples = field(default_factory=Samples)
    cancelled: int = 0


@dataclass
class Replica:
    """What a replica of the store costs, in each way it is used."""

    store_mib: int = 0
    copy_seconds: float = 0
    ways: dict[str, Following] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def measure(services: Services, *, orders: int, batches: int) -> Replica:
    """Copy the cluster, follow it, and load batches; then again beside an analyst.

    The store is that of ``growth``: filled anew unless one was kept.
    """
    found = Replica()
    services.fill_dictionary(2 * orders)
    if not services.has_database(growth.store(orders)):
        growth.fill(services, orders)
    services.copy_database(growth.store(orders), DATABASE)
    migrate(services.settings(DATABASE))
    password = _make_analyst(services)
    folder = services.stack.var / "postgres" / "replica"
    console.print("Copying the cluster ...")
    start = time.monotonic()
    with _following(services, folder) as port:
        found.copy_seconds = time.monotonic() - start
        with services.superuser(DATABASE) as conn:
            row = conn.execute(
                "SELECT pg_database_size(current_database()) / 1048576"
            ).fetchone()
            found.store_mib = int(row[0]) if row else 0
        superuser = Secrets.load(services.stack.var / "secrets.json").postgres
        watcher = postgres.dsn(port, "postgres", superuser, DATABASE)
        analyst = postgres.dsn(port, ANALYST, password, DATABASE)
        found.refused = _refused(analyst)
        alone = found.ways["alone"] = Following()
        _load(services, watcher, batches, alone.lag)
        for name in ("beside reports", "beside reports, with hot_standby_feedback"):
            found.ways[name] = way = Following()
            ends = threading.Event()
            reader = threading.Thread(target=_report, args=(analyst, way, ends))
            reader.start()
            try:
                _load(services, watcher, batches, way.lag)
            finally:
                ends.set()
                reader.join()
            with psycopg.connect(watcher, autocommit=True) as replica:
                replica.execute("ALTER SYSTEM SET hot_standby_feedback = on")
                replica.execute("SELECT pg_reload_conf()")
    return found


def show(found: Replica) -> None:
    """Print the lag, and what the analyst may not do."""
    print(
        f"copied in {found.copy_seconds:.0f} s; "
        f"the warehouse has {found.store_mib:,} MiB"
    )
    for name, way in found.ways.items():
        lag = way.lag
        print(
            f"{name}: a commit is seen after {lag.median * 1e3:.0f} ms (median), "
            f"{lag.percentile(95) * 1e3:.0f} (p95), {max(lag.values) * 1e3:.0f} (most) "
            f"of {len(lag.values)}"
        )
        if way.reports.values or way.cancelled:
            seconds = ", ".join(f"{one:.0f}" for one in way.reports.values)
            print(f"  reports: seconds {seconds or '-'}; {way.cancelled} cancelled")
    for act, error in found.refused.items():
        print(f"{act}: {error}")


def _make_analyst(services: Services) -> str:
    """Create a login of the role palate_reader, as an operator does for a person."""
    password = secrets.token_urlsafe(16)
    with services.superuser() as conn:
        conn.execute(f"DROP ROLE IF EXISTS {ANALYST}")
        conn.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE palate_reader").format(
                sql.Identifier(ANALYST), sql.Literal(password)
            )
        )
    return password


@contextmanager
def _following(services: Services, folder: Path) -> Iterator[int]:
    """Run a replica of the stack's cluster; yield its port."""
    user = cluster.server_user()
    _remove(folder)
    port = Ports.free().postgres
    password = Secrets.load(services.stack.var / "secrets.json").postgres
    own = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--"]
    prefix = own if user else []
    backup = [
        *prefix,
        str(cluster.programs() / "pg_basebackup"),
        f"--pgdata={folder}",
        "--host=127.0.0.1",
        f"--port={services.stack.ports.postgres}",
        "--username=postgres",
        "--checkpoint=fast",
        "--wal-method=stream",
        "--write-recovery-conf",
    ]
    environment = {**os.environ, "PGPASSWORD": password}
    subprocess.run(backup, env=environment, cwd="/", check=True)
    server = [
        *prefix,
        str(cluster.programs() / "postgres"),
        "-D",
        str(folder),
        "-c",
        f"port={port}",
        "-c",
        "shared_buffers=256MB",
    ]
    with (services.stack.var / "log" / "replica.log").open("wb") as log:
        process = subprocess.Popen(server, cwd="/", stdout=log, stderr=log)
        try:
            uri = postgres.dsn(port, "postgres", password, DATABASE)
            deadline = time.monotonic() + _SECONDS_TO_WAIT
            while not postgres.answers(uri):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"The replica does not answer: see {log.name}")
                time.sleep(0.2)
            yield port
        finally:
            process.terminate()
            process.wait()
            _remove(folder)


def _load(services: Services, watcher: str, batches: int, lag: Samples) -> None:
    """Load batches into the primary; record when the replica shows each commit."""
    settings = services.settings(DATABASE)
    with psycopg.connect(watcher, autocommit=True) as replica:
        for _ in range(batches):
            stage(settings, BATCH)
            growth.load(settings)
            with services.superuser() as primary:
                row = primary.execute("SELECT pg_current_wal_flush_lsn()").fetchone()
            committed = time.monotonic()
            while not _shows(replica, row[0] if row else ""):
                if time.monotonic() - committed > _SECONDS_TO_WAIT:
                    raise RuntimeError("The replica does not follow.")
                time.sleep(_POLL_SECONDS)
            lag.values.append(time.monotonic() - committed)


def _shows(replica: psycopg.Connection[tuple[object, ...]], position: str) -> bool:
    query = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
    return replica.execute(query, (position,)).fetchone() == (True,)


def _report(analyst: str, way: Following, ends: threading.Event) -> None:
    """Run reports, one after the other, until the end."""
    while not ends.is_set():
        start = time.monotonic()
        try:
            with psycopg.connect(analyst, autocommit=True) as conn:
                conn.execute(_REPORT).fetchall()
        except psycopg.OperationalError as error:
            # The error may hit the connection attempt, which then has no code.
            if "conflict with recovery" not in str(error):
                raise
            way.cancelled += 1
        else:
            way.reports.values.append(time.monotonic() - start)


def _refused(analyst: str) -> dict[str, str]:
    """Return the replica's answers to what a reader may not do."""
    acts = {
        "an analyst reads messages": "SELECT message FROM stg.order_events LIMIT 1",
        "an analyst writes": "DELETE FROM cdm.user_product_counters",
    }
    found = {}
    with psycopg.connect(analyst, autocommit=True) as conn:
        for act, statement in acts.items():
            try:
                conn.execute(statement)
                found[act] = "is allowed!"
            except psycopg.Error as error:
                found[act] = str(error).splitlines()[0]
    return found


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
