"""A worker dies while it follows rules and judges tags: no guest keeps a wrong one."""

import psycopg

from tests.faults import worker
from tests.faults.conftest import MakeGround
from tests.faults.ground import Ground
from tests.faults.points import Trip
from tests.faults.table import Results
from tests.faults.traffic import CATEGORIES
from tests.integration.staged import set_rules
from tests.model.history import Rule

TAGS: dict[str, tuple[str, ...]] = {"stages": ("tags",)}
SETS = [
    [Rule("category", name, 1, f"likes {name}") for name in CATEGORIES],
    [Rule("category", CATEGORIES[0], 2, "likes something")],
    [Rule("category", name, 2, "likes something") for name in CATEGORIES],
]


def test_tags_are_right_after_kills(make_ground: MakeGround, results: Results) -> None:
    """Rules and counters change before each run that is killed."""
    with make_ground() as ground, ground.connect() as conn:
        _change(ground, conn, 0)
        reached = ground.points(**TAGS)
        chosen = reached[:: max(len(reached) // 10, 1)]
        killed = 0
        for number, name in enumerate(chosen, start=1):
            _change(ground, conn, number)
            trip = Trip(name=name, inside=number % 2 == 0)
            killed += ground.run_killed(trip, **TAGS)

        assert killed > len(chosen) // 2
        results.add("kill -9 at statements of tags", killed, ground.verdict())


def _change(ground: Ground, conn: psycopg.Connection, number: int) -> None:
    """Let the marts count more, and people edit the rules, before the tags follow."""
    ground.send_traffic(10)
    ground.run(stages=worker.STAGES)
    set_rules(conn, SETS[number % len(SETS)])
    conn.commit()
