"""PostgreSQL fails: what was not committed is rolled back, and the next run goes on."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from deploy.local import postgres
from deploy.local.cluster import Cluster
from deploy.local.secrets import Secrets
from deploy.local.stack import Stack
from tests.faults.conftest import MakeGround
from tests.faults.ground import Ground
from tests.faults.points import Trip
from tests.faults.table import Results
from tests.faults.worker import ENDLESS, STAGES


@pytest.mark.parametrize(
    "cuts", [5, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_connections_cut(ground: Ground, results: Results, cuts: int) -> None:
    """Sessions end by ``pg_terminate_backend`` while three workers run."""
    with _workers(ground, 3):
        for _ in range(cuts):
            ground.send_traffic(4)
            time.sleep(ground.random.uniform(0.05, 0.6))
            _terminate(ground)

    results.add("sessions terminated, three workers", cuts, ground.verdict())


@pytest.mark.parametrize(
    ("timeout", "text"),
    [
        ("statement_timeout", "20ms"),
        pytest.param("statement_timeout", "5ms", marks=pytest.mark.slow),
    ],
)
def test_statement_timeout(
    ground: Ground, results: Results, timeout: str, text: str
) -> None:
    ground.send_traffic(60)
    for _ in range(4):
        ground.try_run(session={timeout: text})

    results.add(f"{timeout} of {text}", 4, ground.verdict())


def test_another_session_holds_a_table(ground: Ground, results: Results) -> None:
    """A person's lock lasts longer than a stage waits for one."""
    ground.send_traffic(40)
    with ground.connect() as conn, conn.transaction():
        conn.execute("LOCK TABLE dds.h_order, cdm.user_product_counters")
        code = ground.try_run(session={"lock_timeout": "500ms"}, stages=STAGES[:2])

    assert code != 0
    results.add("lock_timeout in the vault", 1, ground.verdict())


def test_no_connection_left(ground: Ground, services: Stack, results: Results) -> None:
    ground.send_traffic(20)
    with ground.connect() as conn:
        (database,) = conn.execute("SELECT current_database()").fetchone() or ("",)
        _superuser(services, f"ALTER DATABASE {database} CONNECTION LIMIT 1")
        code, made = ground.run()
    _superuser(services, f"ALTER DATABASE {database} CONNECTION LIMIT -1")

    assert code == 1
    assert "ServiceUnavailableError" in made.log.read_text()
    results.add("no connection left", 1, ground.verdict())


@pytest.mark.slow
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("restarts", [12])
def test_restarted_at_random(
    make_breakable_ground: MakeGround, breakable: Stack, results: Results, restarts: int
) -> None:
    with make_breakable_ground() as ground, _workers(ground, 3, pause=0.05):
        for _ in range(restarts):
            ground.send_traffic(20)
            time.sleep(ground.random.uniform(0.1, 1.5))
            _restart(breakable)
        ground.kill_workers()

        results.add("PostgreSQL restarted at once", restarts, ground.verdict())


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("place", "trip"),
    [
        ("in COPY", Trip(text="COPY row 16")),
        ("before COMMIT", Trip(text="COMMIT")),
        ("in COMMIT", Trip(text="COMMIT", inside=True)),
        ("at MERGE", Trip(text="MERGE INTO cdm.")),
    ],
    ids=["copy", "before commit", "commit", "merge"],
)
def test_restarted_at_a_statement(
    make_breakable_ground: MakeGround,
    breakable: Stack,
    results: Results,
    place: str,
    trip: Trip,
) -> None:
    """The worker stands still at the statement while the server restarts."""
    with make_breakable_ground() as ground:
        ground.send_traffic(60)
        code, made = ground.run_interrupted(trip, lambda: _restart(breakable))

        assert code == 1
        assert "ServiceUnavailableError" in made.log.read_text()
        results.add(f"PostgreSQL restarted {place}", 1, ground.verdict())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_disk_full(
    make_breakable_ground: MakeGround,
    breakable: Stack,
    results: Results,
    tmp_path: Path,
) -> None:
    """The tables lie in a small file system, which fills up."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    with (
        make_breakable_ground() as ground,
        _small_tablespace(breakable) as (
            name,
            filler,
        ),
    ):
        _move_tables(ground, name)
        ground.send_traffic(30)
        ground.run()
        filler.write_bytes(b"x" * _free(filler.parent))
        codes = []
        for _ in range(3):
            ground.send_traffic(300)
            codes.append(ground.try_run())
        filler.unlink()

        assert any(codes)
        results.add("disk full", 3, ground.verdict())
        _move_tables(ground, "pg_default")


def _move_tables(ground: Ground, tablespace: str) -> None:
    with ground.connect() as conn:
        tables = conn.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname IN ('stg', 'dds', 'cdm')"
        ).fetchall()
        for (table,) in tables:
            conn.execute(f"ALTER TABLE {table} SET TABLESPACE {tablespace}")


@contextmanager
def _workers(ground: Ground, number: int, pause: float = 0.0) -> Iterator[None]:
    for _ in range(number):
        ground.start(passes=ENDLESS, pause=pause)
    try:
        yield
    finally:
        ground.kill_workers()


def _terminate(ground: Ground) -> None:
    with ground.connect() as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'palate'"
            " AND pid <> pg_backend_pid()"
        )


def _restart(stack: Stack) -> None:
    """End the server as a crash does, and wait until it answers again."""
    (pid,) = [one.pid for one in stack.states() if one.name == "postgres"]
    os.kill(pid, signal.SIGQUIT)
    with suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(30)
    stack.up_services()


def _superuser(stack: Stack, statement: str) -> None:
    secrets = Secrets.load(stack.var / "secrets.json")
    dsn = postgres.dsn(stack.ports.postgres, "postgres", secrets.postgres, "postgres")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(statement)


@contextmanager
def _small_tablespace(stack: Stack) -> Iterator[tuple[str, Path]]:
    folder = Cluster(stack.var).folder.parent / "small"
    folder.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        folder.rmdir()
        pytest.skip(f"a small file system can't be mounted here: {error}")
    try:
        inside = folder / "space"
        inside.mkdir()
        subprocess.run(["chown", "-R", "postgres", str(folder)], check=True)
        _superuser(stack, f"CREATE TABLESPACE small LOCATION '{inside}'")
        _superuser(stack, "GRANT CREATE ON TABLESPACE small TO palate")
        yield "small", folder / "filler"
        _superuser(stack, "DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def _free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
