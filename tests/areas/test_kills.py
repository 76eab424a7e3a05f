"""A second area is killed in each of its stages, beside the first one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from palate.names import SQL_FOLDER
from tests.areas.reviews.messages import later
from tests.areas.town import Town
from tests.model.history import Message
from tests.warehouses import environment_of

STAGES = ("reviews/drain: ", "reviews/vault: ", "mart:restaurant_months: ")
# So many statements of each stage, and each commit.
_OF_A_STAGE = 4


@pytest.mark.timeout(600)
def test_killed_in_each_stage_nothing_is_lost_or_doubled(
    town: Town, tmp_path: Path
) -> None:
    sent: list[Message] = []

    def come(seed: int) -> None:
        more = town.told(seed, reviews=3)
        new = later(sent, more) if sent else more
        town.send(new)
        sent.extend(new)
        town.order(seed)

    trace = tmp_path / "points"
    for seed in range(2):  # the first run does what no later one does
        come(seed)
        trace.unlink(missing_ok=True)
        assert _run(town, trace).returncode == 0
    for seed, point in enumerate(_chosen(trace), start=2):
        come(seed)
        died = _run(town, tmp_path / "more", point)
        assert died.returncode == -signal.SIGKILL, (point, died.stderr)

    town.palate("run")

    town.assert_true(sent)
    assert "0 rows differ" in town.palate("reconcile")
    town.palate("check", "positions/ledger_has_no_holes", "marts/equal_the_vault")
    assert _taken_twice(town) == []


def _run(town: Town, trace: Path, *point: str) -> "subprocess.CompletedProcess[str]":
    paths = (str(town.checkout.root / "include"), str(SQL_FOLDER.parent))
    return subprocess.run(
        [sys.executable, "-m", "tests.areas.victim", str(trace), *point],
        env={
            **os.environ,
            **environment_of(town.checkout.settings),
            "PYTHONPATH": os.pathsep.join(paths),
        },
        cwd=town.checkout.root,
        capture_output=True,
        text=True,
        check=False,
    )


def _chosen(trace: Path) -> list[str]:
    names = trace.read_text().splitlines()
    found = []
    for stage in STAGES:
        own = [name for name in names if name.startswith(stage)]
        assert own, stage
        commits = [name for name in own if ": COMMIT" in name]
        found += {*own[1 :: max(len(own) // _OF_A_STAGE, 1)], *commits[:2]}
    return sorted(found)


def _taken_twice(town: Town) -> list[tuple[object, ...]]:
    """Return the positions that two batches of one stage have both taken."""
    return town.rows(
        "SELECT b.stage, r.topic, r.kafka_partition, r.from_offset, o.from_offset"
        " FROM ops.batches AS b INNER JOIN ops.batch_ranges AS r USING (batch_id)"
        " INNER JOIN ops.batches AS c ON b.stage = c.stage AND b.batch_id < c.batch_id"
        " INNER JOIN ops.batch_ranges AS o ON c.batch_id = o.batch_id"
        " AND (r.topic, r.epoch, r.kafka_partition)"
        " = (o.topic, o.epoch, o.kafka_partition)"
        " AND r.from_offset < o.to_offset AND o.from_offset < r.to_offset"
        " WHERE NOT b.is_repeat AND NOT c.is_repeat"
    )
