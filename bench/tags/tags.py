"""What tags cost: a rule that affects very many guests, and a batch that moves few.

The marts are filled by SQL, since only the stage ``tags`` is measured. Each guest has a
counter in ``things`` categories, one of them the rule's.
"""

import time

from rich.table import Table

from bench.services import Services, console
from palate.database import Connection, connect
from palate.engine.outcome import Caller, Outcome
from palate.names import HUB_KEY_NAMESPACE
from palate.settings import Settings
from palate.tags import stage as tags

_DATABASE = "bench_tags"
_MOVED = 1_000
_RULED = "Пицца"


def measure(
    services: Services, *, guests: int, things: int
) -> list[tuple[str, Outcome, float]]:
    """Return what was done, the stage's outcome, and its seconds, in order.

    :raises RuntimeError: if the tags are wrong at the end
    """
    services.fresh_warehouse(_DATABASE)
    settings = services.settings(_DATABASE)
    with connect(settings) as conn:
        _fill(conn, guests, things)
        services.vacuum(_DATABASE)
        done = [_timed(settings, "nothing has changed")]
        for name, statement in (
            ("a rule is added", _ADD),
            ("a second rule gives the same tag", _ADD.replace("1,", "2,")),
            ("that one is switched off", _SWITCH_OFF.replace("= 1", "= 2")),
            (f"counters of {_MOVED:,} guests fall below the threshold", _MOVE),
            ("the rule is switched off", _SWITCH_OFF),
        ):
            conn.execute(statement, {"name": _RULED, "moved": _MOVED})
            done.append(_timed(settings, name))
    number, _ = tags.differences(settings)
    if number:
        raise RuntimeError(f"{number} tags differ from what they must be.")
    services.drop_database(_DATABASE)
    return done


def show(done: list[tuple[str, Outcome, float]]) -> None:
    """Print the seconds of each run, and per evaluated guest."""
    table = Table("before the run", "seconds", "evaluated", "us each", "gained", "lost")
    for name, outcome, seconds in done:
        counts = outcome.counts
        each = seconds / counts["judged"] * 1e6 if counts["judged"] else 0
        table.add_row(
            name,
            f"{seconds:.3g}",
            f"{counts['judged']:,}",
            f"{each:.3g}" if each else "",
            f"{counts['gained']:,}",
            f"{counts['lost']:,}",
        )
    console.print(table)


_ADD = (
    "INSERT INTO cdm.tag_rules (rule_id, kind, name, threshold, tag)"
    " VALUES (1, 'category', %(name)s, 10, 'Любитель пиццы')"
)
_SWITCH_OFF = "UPDATE cdm.tag_rules SET active = FALSE WHERE rule_id = 1"
# As a mart does it, in one transaction.
_MOVE = """
WITH moved AS (
    UPDATE cdm.user_category_counters AS m
    SET order_cnt = 9
    FROM (
        SELECT user_id, category_id
        FROM cdm.user_category_counters
        WHERE category_name = %(name)s
        LIMIT %(moved)s
    ) AS chosen
    WHERE (m.user_id, m.category_id) = (chosen.user_id, chosen.category_id)
    RETURNING m.user_id
)
INSERT INTO ops.tags_waiting (user_id, tag)
SELECT user_id, 'Любитель пиццы' FROM moved
"""
_GUESTS = """
INSERT INTO dds.h_user (h_user_pk, user_id, load_dt, load_src)
SELECT uuid_generate_v5(%(namespace)s, n::text), n::text, now(), 'bench'
FROM generate_series(1, %(guests)s) AS n
ORDER BY 1
"""
_COUNTERS = """
INSERT INTO cdm.user_category_counters
    (user_id, category_id, category_name, order_cnt, pieces_cnt, amount)
SELECT
    u.h_user_pk,
    uuid_generate_v5(%(namespace)s, t.name),
    t.name,
    10,
    10,
    1000
FROM dds.h_user AS u
CROSS JOIN (
    SELECT CASE n WHEN 1 THEN %(name)s ELSE n::text END AS name
    FROM generate_series(1, %(things)s) AS n
) AS t
ORDER BY 1, 2
"""


def _fill(conn: Connection, guests: int, things: int) -> None:
    values = {
        "namespace": HUB_KEY_NAMESPACE,
        "guests": guests,
        "things": things,
        "name": _RULED,
    }
    for statement in (_GUESTS, _COUNTERS):
        conn.execute(statement, values)


def _timed(settings: Settings, name: str) -> tuple[str, Outcome, float]:
    start = time.perf_counter()
    outcome = tags.run(settings, Caller.in_shell(tags.STAGE))
    return name, outcome, time.perf_counter() - start
