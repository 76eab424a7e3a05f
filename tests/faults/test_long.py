"""Long work is killed after each of its chunks, and ends all the same."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.faults.ground import Ground
from tests.faults.points import Trip
from tests.faults.table import Results
from tests.faults.worker import MARTS

# Before its second batch is in the ledger: so each attempt commits one chunk.
_SECOND_BATCH = Trip(text="INSERT INTO ops.batches", nth=2)
_CHUNK = 10


def _small(ground: Ground) -> None:
    small = {"palate_chunk_positions": _CHUNK, "palate_drain_messages": _CHUNK}
    ground.settings = ground.settings.model_copy(update=small)


def _run_to_the_end(ground: Ground, stage: str, **job: Any) -> int:
    """Run a task until no attempt is killed any more; return how many were."""
    kills = 0
    while ground.run_killed(_SECOND_BATCH, stages=(stage,), **job):
        kills += 1
    return kills


_SIZES = pytest.mark.parametrize(
    "orders",
    [60, pytest.param(2_000, marks=[pytest.mark.slow, pytest.mark.timeout(3_600)])],
)


@_SIZES
def test_backfill_killed_after_every_chunk(
    ground: Ground, results: Results, orders: int
) -> None:
    start = datetime.now(UTC) - timedelta(minutes=1)
    ground.send_traffic(orders)
    ground.run(600)
    _small(ground)
    interval = (start, datetime.now(UTC) + timedelta(minutes=1))
    job = {"run_id": "long", "interval": interval, "recount_chunk": _CHUNK}

    kills = sum(_run_to_the_end(ground, one, **job) for one in ("drain", "vault"))
    kills += sum(_run_to_the_end(ground, name, **job) for name in MARTS)

    with ground.connect() as conn:
        done = {
            stage: (batches, positions, finished)
            for stage, batches, positions, finished in conn.execute(
                "SELECT stage, batches, positions, finished_dt IS NOT NULL"
                " FROM ops.v_reload_progress WHERE run_id = 'long'"
            )
        }
        planned = dict(
            conn.execute(
                "SELECT is_compared, sum(to_offset - from_offset)::bigint"
                " FROM ops.reload_ranges GROUP BY 1"
            ).fetchall()
        )
        counted_twice = conn.execute(
            "SELECT b.stage, g.done_until FROM ops.batch_guests AS g"
            " INNER JOIN ops.batches AS b USING (batch_id)"
            " GROUP BY 1, 2 HAVING count(*) > 1"
        ).fetchall()
    assert done["drain:reload"][1] == planned[True]
    assert done["vault:reload"][1] == planned[False]
    assert counted_twice == []
    assert all(finished for *_, finished in done.values())
    assert kills >= sum(batches - 1 for batches, *_ in done.values())
    results.add("backfill killed after every chunk", kills, ground.verdict())


@_SIZES
def test_task_killed_after_every_chunk(
    ground: Ground, results: Results, orders: int
) -> None:
    ground.send_traffic(orders)
    ground.run(600, stages=("drain",))
    _small(ground)

    kills = sum(
        _run_to_the_end(ground, name, run_id="long") for name in ("vault", *MARTS)
    )

    assert kills > orders // _CHUNK
    with ground.connect() as conn:
        repeats = conn.execute("SELECT count(*) FROM ops.batches WHERE is_repeat")
        assert repeats.fetchone() == (0,)
    results.add("vault and marts killed after every chunk", kills, ground.verdict())
