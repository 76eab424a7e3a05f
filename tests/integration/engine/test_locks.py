"""No lock of a stage is believed: every transaction proves it, or commits nothing."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import Connection

from palate import database
from palate.engine.locks import kept_awake
from palate.engine.stage import StageRun, open_run
from palate.errors import LockLostError, ServiceUnavailableError, StageBusyError
from palate.history import rebuild
from palate.marts import compare
from palate.positions.ranges import FeedPartition, Range
from palate.positions.watermark import advance, watermarks
from palate.settings import Settings
from palate.vault import stage as vault
from tests.e2e.airflow_api import until
from tests.food import FOOD
from tests.integration.staged import caller, load, stage_messages, with_topics
from tests.unit.model.stories import line, raw

LOG = FeedPartition("order-service_orders", 0, 0)
TAKEN = [Range(LOG, 0, 1)]
ME = caller("rebuild")


def _pid(conn: Connection) -> int:
    return conn.info.backend_pid


def _end(connection: Connection, conn: Connection) -> None:
    """End a session from outside, and wait until its locks are gone."""
    connection.execute("SELECT pg_terminate_backend(%s, 10000)", (_pid(conn),))


def _write(attempt: StageRun) -> None:
    with attempt.batch(TAKEN) as batch:
        batch.counts["written"] = 1


def _nothing_was_written(connection: Connection) -> bool:
    return not watermarks(connection, FOOD.vault)


def test_batch_of_a_session_that_was_reset_is_refused(
    warehouse: Settings, connection: Connection
) -> None:
    """As a pooler does that gives the session to somebody else."""
    with open_run(warehouse, FOOD.vault, caller("vault")) as attempt:
        attempt.conn.execute("DISCARD ALL")
        with pytest.raises(LockLostError, match="Stage vault: this run has") as error:
            _write(attempt)

    assert error.value.exit_code == 22
    assert error.value.is_worth_retrying
    assert _nothing_was_written(connection)


def test_batch_beside_is_refused_once_the_first_session_has_gone(
    warehouse: Settings, connection: Connection
) -> None:
    """Also where another run has the lock by then, or had it and is over."""
    with (
        suppress(ServiceUnavailableError),  # its end can't be noted
        open_run(warehouse, FOOD.vault, caller("vault")) as attempt,
        attempt.beside(warehouse) as other,
    ):
        _write(other)
        connection.execute("DELETE FROM ops.watermarks")
        _end(connection, attempt.conn)
        with pytest.raises(LockLostError):
            _write(other)
        with (
            open_run(warehouse, FOOD.vault, caller("another")),
            pytest.raises(LockLostError),
        ):
            _write(other)
        with pytest.raises(LockLostError):
            _write(other)

    assert _nothing_was_written(connection)


def test_lock_that_is_lost_after_the_proof_keeps_others_out_until_the_commit(
    warehouse: Settings, connection: Connection
) -> None:
    hasty = warehouse.model_copy(update={"palate_lock_wait": 0.2})
    with (
        suppress(ServiceUnavailableError),  # its end can't be noted
        open_run(warehouse, FOOD.vault, caller("vault")) as attempt,
        attempt.beside(warehouse) as other,
    ):
        with other.batch(TAKEN):
            _end(connection, attempt.conn)
            with (
                pytest.raises(StageBusyError, match="Stage vault is busy"),
                open_run(hasty, FOOD.vault, caller("another")),
            ):
                pass
        with open_run(hasty, FOOD.vault, caller("another")) as late:
            assert watermarks(late.conn, FOOD.vault) == {LOG: 1}


def test_run_that_gave_way_proves_its_new_lock(
    warehouse: Settings, connection: Connection
) -> None:
    with open_run(warehouse, FOOD.vault, caller("vault")) as attempt:
        attempt.yield_lock(warehouse)
        _write(attempt)
        assert watermarks(connection, FOOD.vault) == {LOG: 1}


def test_session_that_waits_for_others_keeps_its_lock(
    warehouse: Settings, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what holds one stage and waits for another would lose the first."""
    monkeypatch.setitem(database._SESSION, "idle_session_timeout", "1s")
    query = "SELECT query_start FROM pg_stat_activity WHERE pid = %s"
    with open_run(warehouse, FOOD.vault, caller("vault")) as attempt:
        pid = (_pid(attempt.conn),)
        with kept_awake([attempt.conn]):
            (begun,) = connection.execute(query, pid).fetchone() or (None,)
            until(
                lambda: connection.execute(
                    f"{query} AND query_start > %s + interval '1.5 s'", (*pid, begun)
                ).fetchone(),
                "the session to outlive its timeout",
                seconds=20,
            )
        _write(attempt)


def test_process_that_stands_still_in_a_transaction_is_not_kept_awake(
    warehouse: Settings, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database._SESSION, "idle_session_timeout", "1s")
    monkeypatch.setitem(
        database._SESSION, "idle_in_transaction_session_timeout", "500ms"
    )
    pid = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"
    with (
        pytest.raises(Exception, match="connection to PostgreSQL was lost"),
        open_run(warehouse, FOOD.vault, caller("vault")) as attempt,
        kept_awake([attempt.conn]),
        attempt.batch(TAKEN),
    ):
        until(
            lambda: connection.execute(pid, (_pid(attempt.conn),)).fetchone() is None,
            "the session to be ended",
            seconds=20,
        )
    assert _nothing_was_written(connection)


# --- the swap ---


@pytest.fixture
def rebuilt(warehouse: Settings, connection: Connection) -> Settings:
    """Give a warehouse whose rebuild may be swapped in."""
    settings = with_topics(warehouse)
    stage_messages(connection, [raw(1, [line("d")], offset=0)])
    load(settings)
    rebuild.build(settings, ME)
    assert not rebuild.compare(settings, ME).differs
    return settings


@contextmanager
def _swapping(settings: Settings, connection: Connection) -> Iterator[list[Exception]]:
    """Let another session begin the swap, which has to wait for a table."""
    failures: list[Exception] = []
    with psycopg.connect(settings.dwh_dsn.get_secret_value()) as other:

        def swap() -> None:
            try:
                other.execute("SELECT ops.swap_rebuild()")
                other.commit()
            except psycopg.Error as error:
                failures.append(error)

        thread = threading.Thread(target=swap)
        thread.start()
        until(
            lambda: connection.execute(
                "SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted",
                (_pid(other),),
            ).fetchone(),
            "the swap to wait",
            seconds=20,
        )
        yield failures
        thread.join(30)


def _insert(conn: Connection, order_id: int) -> None:
    conn.execute(
        "INSERT INTO dds.h_order (h_order_pk, order_id, order_dt, load_dt, load_src)"
        " VALUES (gen_random_uuid(), %s, now(), now(), 'test')",
        (order_id,),
    )


def test_swap_sees_a_batch_that_committed_while_it_waited(
    rebuilt: Settings, connection: Connection
) -> None:
    """Whatever locks of stages say: the function looks once it has the tables."""
    with psycopg.connect(rebuilt.dwh_dsn.get_secret_value()) as batch:
        _insert(batch, 77)
        advance(batch, FOOD.vault, [Range(LOG, 1, 2)], datetime.now(UTC))
        with _swapping(rebuilt, connection) as failures:
            batch.commit()

    assert "not where vault stands" in str(failures[0])
    query = "SELECT count(*) FROM dds.h_order WHERE order_id = 77"
    assert connection.execute(query).fetchone() == (1,)


@pytest.mark.parametrize("prepared", [False, True])
def test_batch_that_waits_for_the_swap_writes_into_the_new_table(
    rebuilt: Settings, connection: Connection, prepared: bool
) -> None:
    """What waits for a table finds by its name the one that is there afterwards."""
    dsn = rebuilt.dwh_dsn.get_secret_value()
    query = "SELECT 'dds.h_order'::regclass::oid"
    old = connection.execute(query).fetchone()
    with psycopg.connect(dsn) as swap, psycopg.connect(dsn) as batch:
        if prepared:
            batch.prepare_threshold = 0
            _insert(batch, 78)
            batch.rollback()
        swap.execute("SELECT ops.swap_rebuild()")
        thread = threading.Thread(target=_insert, args=(batch, 77))
        thread.start()
        until(
            lambda: connection.execute(
                "SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted", (_pid(batch),)
            ).fetchone(),
            "the batch to wait",
            seconds=20,
        )
        swap.commit()
        thread.join(30)
        batch.commit()

    assert connection.execute(query).fetchone() != old
    rows = connection.execute("SELECT order_id FROM dds.h_order ORDER BY 1").fetchall()
    assert rows == [(1,), (77,)]


@pytest.mark.parametrize("stage", [FOOD.vault, "mart:user_product_counters"])
def test_swap_without_a_stage_s_lock_is_refused(
    rebuilt: Settings,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    """Its sessions are ended while it catches up; live runs go on and lose nothing."""
    catch_up = rebuild._catch_up
    rounds = 0

    def ended(settings: Settings, asked: object) -> object:
        nonlocal rounds
        rounds += 1
        found = catch_up(settings, asked)  # type: ignore[arg-type]
        if rounds == 2:  # while all stages are held
            connection.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks"
                " WHERE locktype = 'advisory' AND objsubid = 1"
                " AND (classid::bigint << 32 | objid::bigint)"
                " = hashtextextended('palate stage ' || %s, 0)",
                (stage,),
            )
            stage_messages(connection, [raw(2, [line("d")], offset=1)])
            if stage == FOOD.vault:
                vault.run(settings, FOOD, caller("vault", "live"))
        return found

    monkeypatch.setattr(rebuild, "_catch_up", ended)
    with pytest.raises(LockLostError):
        rebuild.swap(rebuilt, ME)
    monkeypatch.undo()

    load(rebuilt, "next")
    assert rebuild.swap(rebuilt, ME).outcome == "swapped"
    rows = connection.execute("SELECT order_id FROM dds.h_order ORDER BY 1").fetchall()
    assert rows == [(1,), (2,)]
    assert compare.differences(rebuilt, "user_product_counters") == (0, [])
