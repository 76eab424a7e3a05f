"""A session ends while its run lives on, which nobody tells: its lock has gone."""

import re
import threading

import psutil
import pytest

from palate.names import SQL_FOLDER
from tests.faults.ground import Ground
from tests.faults.harm import is_asleep, wait_for
from tests.faults.points import Trip
from tests.faults.table import Results
from tests.faults.worker import MARTS, REBUILD_ALL, REBUILDS, STAGES
from tests.pooler import pooled

_BELIEVED = "a lock is believed, not proven"
_BELIEVED_BEHIND = "a lock is believed behind PgBouncer"
# The lock is gone right after the statement that took it.
_FORGETFUL = {
    "ignore_startup_parameters": "options,extra_float_digits",
    "server_reset_query_always": 1,
}


def test_session_ended_at_some_statements(ground: Ground, results: Results) -> None:
    names = ground.statements(STAGES)
    chosen = names[2 :: len(names) // 9]

    for number, name in enumerate(chosen):
        _cut_at(ground, name, STAGES, ("own", "others")[number % 2])

    results.add("session ended at some statements", len(chosen), ground.verdict())


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize(
    ("what", "stages"),
    [
        pytest.param("the stages", STAGES, id="stages"),
        pytest.param("replay and sync", ("replay", "vault", "sync"), id="replay"),
        pytest.param("rebuild", REBUILDS, id="rebuild"),
    ],
)
def test_session_ended_before_every_statement(
    ground: Ground, results: Results, what: str, stages: tuple[str, ...]
) -> None:
    names = ground.statements(stages)
    for name in names:
        _cut_at(ground, name, stages, "own")

    fault = f"session ended before every statement of {what}"
    results.add(fault, len(names), ground.verdict())


def test_session_ended_in_a_rebuild(ground: Ground, results: Results) -> None:
    """Its own, or all others: those that hold the stages."""
    ground.stir()
    ground.run()
    names = ground.points(stages=(REBUILD_ALL,))
    swap = [name for name in names if "swap_rebuild" in name or "CASE WHEN" in name]

    for number, name in enumerate(swap):
        _cut_at(ground, name, (REBUILD_ALL,), ("others", "own")[number % 2])

    # A swap that was cut last is under way: the next rebuild ends it.
    ground.run(stages=(REBUILD_ALL,))
    results.add("session ended in a swap", len(swap), ground.verdict())


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("cut", ["own", "others"])
def test_session_ended_before_every_tenth_statement_of_a_rebuild(
    ground: Ground, results: Results, cut: str
) -> None:
    ground.stir()
    ground.run()
    names = ground.points(stages=(REBUILD_ALL,))[::10]
    for name in names:
        _cut_at(ground, name, (REBUILD_ALL,), cut)

    fault = f"session ended ({cut}) before every tenth statement of a rebuild"
    results.add(fault, len(names), ground.verdict())


def test_live_batch_while_a_swap_has_lost_the_vault_s_lock(
    ground: Ground, results: Results
) -> None:
    _swap_beside_a_live_batch(ground, bug=None)

    fault = "the vault's lock ended in a swap, a live batch in between"
    results.add(fault, 1, ground.verdict())


def test_swap_that_believes_its_locks_is_seen(ground: Ground, results: Results) -> None:
    """And looks how far the tables are before it has locked them."""
    with ground.connect() as conn:
        conn.execute(_swap_that_looks_first())
    _swap_beside_a_live_batch(ground, bug=_BELIEVED)

    verdict = ground.verdict()

    assert verdict.wrong
    results.caught("a swap believes its locks, and looks before it locks", verdict)


def test_killed_behind_pgbouncer(ground: Ground, results: Results) -> None:
    with pooled(ground.settings, "session") as settings:
        direct, ground.settings = ground.settings, settings
        ground.storm(workers=2, kills=3)
    ground.settings = direct

    fault = "kill -9 at random behind PgBouncer, session mode"
    results.add(fault, 3, ground.verdict())


def test_transaction_pooling_that_nobody_saw(ground: Ground, results: Results) -> None:
    """Were it not refused at connect, no batch would find its lock."""
    log = _two_runs_behind_transaction_pooling(ground, "no look at the pooler")

    assert "LockLostError" in log
    results.add("PgBouncer, transaction mode, not refused", 1, ground.verdict())


def test_batch_that_believes_its_lock_behind_a_pooler_is_seen(
    ground: Ground, results: Results
) -> None:
    with ground.connect() as conn:
        table = f"cdm.{MARTS[0]}_counted"
        conn.execute(f"ALTER TABLE {table} DROP CONSTRAINT {MARTS[0]}_counted_pkey")
    _two_runs_behind_transaction_pooling(ground, _BELIEVED_BEHIND)

    results.caught(_BELIEVED_BEHIND, ground.verdict())


def _cut_at(ground: Ground, name: str, stages: tuple[str, ...], cut: str) -> None:
    """Let a run lose a session at the named statement; it must end with a sentence."""
    ground.stir()
    if "drain" not in stages:
        ground.run(stages=("drain",))
    code, made = ground.run(trip=Trip(name=name, cut=cut), stages=stages)
    # What is over by then can't fail any more.
    assert code in (0, 1)
    assert "Traceback" not in made.log.read_text()


def _swap_beside_a_live_batch(ground: Ground, bug: str | None) -> None:
    """A swap sleeps before it begins; the session that holds the vault is ended.

    A live batch that has written, and not committed yet, does so once the swap waits
    for its tables, or finds the stage held by the swap's own transaction.
    """
    ground.stir()
    ground.run()
    held: list[threading.Thread] = []

    def end_the_lock_and_load() -> None:
        with ground.connect() as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks"
                " WHERE locktype = 'advisory' AND objsubid = 1"
                " AND (classid::bigint << 32 | objid::bigint)"
                " = hashtextextended('palate stage vault', 0)"
            )
        ground.stir()
        ground.run(stages=("drain",))
        trip = Trip(text="COMMIT", stop=True)
        live, _ = ground.start(trip=trip, stages=("vault",))
        wait_for(lambda: is_asleep(live) or not live.is_alive())
        if not is_asleep(live):
            return  # it has found the stage held

        def commit() -> None:
            wait_for(lambda: _waits_for_a_table(ground))
            psutil.Process(live.pid).resume()

        held.append(threading.Thread(target=commit))
        held[0].start()

    code, made = ground.run_interrupted(
        Trip(text="SELECT ops.swap_rebuild"),
        end_the_lock_and_load,
        stages=(REBUILD_ALL,),
        bug=bug,
    )
    for thread in held:
        thread.join(60)
    assert code in (0, 1), made.log.read_text()


def _waits_for_a_table(ground: Ground) -> bool:
    with ground.connect() as conn:
        query = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'relation'"
        return conn.execute(query).fetchone() is not None


def _swap_that_looks_first() -> str:
    """Return the function as it was first."""
    text = (SQL_FOLDER / "ops" / "versions" / "0009_rebuild.sql").read_text()
    found = re.search(r"CREATE FUNCTION (ops\.swap_rebuild.*?\n\$\$;)", text, re.DOTALL)
    if found is None:
        raise RuntimeError("The migration changed: plant the bug anew.")
    return f"CREATE OR REPLACE FUNCTION {found[1]}"


def _two_runs_behind_transaction_pooling(ground: Ground, bug: str) -> str:
    """One run sleeps before it moves the counters, another one moves them."""
    ground.send_traffic(40)
    ground.run(stages=STAGES[:3])
    with pooled(ground.settings, "transaction", **_FORGETFUL) as settings:
        direct, ground.settings = ground.settings, settings
        job = {"stages": (MARTS[0],), "bug": bug}
        _, made = ground.run_interrupted(
            Trip(text="DELETE FROM cdm."),
            lambda: ground.run(**job),
            may_end_before=True,
            **job,
        )
    ground.settings = direct
    return made.log.read_text()
