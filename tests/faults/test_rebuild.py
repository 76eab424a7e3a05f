"""A rebuild of vault and marts is killed: live runs and tables come to no harm."""

import pytest

from tests.faults.ground import Ground
from tests.faults.points import Trip
from tests.faults.table import Results
from tests.faults.worker import ENDLESS, REBUILD_ALL

_DAMAGE = (
    "UPDATE dds.s_order_cost SET cost = cost + 1",
    "DELETE FROM dds.l_order_user",
    "UPDATE cdm.user_category_counters SET amount = amount + 1",
)


def test_killed_at_some_statements_of_a_rebuild(
    ground: Ground, results: Results
) -> None:
    names = _named(ground)
    last = [name for name in names if "ops." in name][-2:]
    chosen = [*names[5 :: len(names) // 2], *last]

    for number, name in enumerate(chosen):
        _kill_at(ground, name, inside=number % 2 == 0)

    results.add("kill -9 in a rebuild of the vault", len(chosen), ground.verdict())


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_killed_before_every_tenth_statement_of_a_rebuild(
    ground: Ground, results: Results
) -> None:
    chosen = _named(ground)[::10]
    for name in chosen:
        _kill_at(ground, name, inside=False)

    fault = "kill -9 before every tenth statement of a rebuild of the vault"
    results.add(fault, len(chosen), ground.verdict())


def test_rebuilt_beside_live_runs_that_are_killed(
    ground: Ground, results: Results
) -> None:
    ground.send_traffic(30)
    ground.run()
    _damage(ground)
    live = [ground.start(passes=ENDLESS)[0] for _ in range(2)]
    for process in live:
        ground.send_traffic(20)
        ground.run(stages=(REBUILD_ALL,))
        assert process.is_alive()  # no swap is an error that it can't explain
        process.kill()
    assert ground.run(stages=(REBUILD_ALL,))[0] == 0

    results.add("rebuilds of the vault beside live runs", 3, ground.verdict())


def _named(ground: Ground) -> list[str]:
    ground.stir()
    ground.run()
    _damage(ground)
    return ground.points(stages=(REBUILD_ALL,))


def _kill_at(ground: Ground, name: str, *, inside: bool) -> None:
    """Let a rebuild die at the named statement, runs go on, and another one mend it."""
    _damage(ground)
    trip = Trip(name=name, inside=inside)
    assert ground.run_killed(trip, stages=(REBUILD_ALL,)), name
    ground.stir()
    ground.run()
    assert ground.run(stages=(REBUILD_ALL,))[0] == 0


def _damage(ground: Ground) -> None:
    with ground.connect() as conn:
        for statement in _DAMAGE:
            conn.execute(statement)
