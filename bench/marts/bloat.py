"""What many small batches leave behind: catalogs, dead rows, and a slower refresh.

Each batch creates its temporary tables and drops them with its commit, so each leaves
dead rows in the catalogs. They are harmless as long as autovacuum keeps up.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from rich import box
from rich.console import Console
from rich.table import Table

from bench import orders
from bench.samples import Samples
from bench.services import Services
from bench.store import stage
from palate import pipelines
from palate.database import connect
from palate.engine.outcome import Caller, Outcome
from palate.landing import dictionaries
from palate.marts import stage as marts
from palate.marts.definitions import load_marts
from palate.publish import stage as publish
from palate.settings import Settings
from palate.tags import stage as tags
from palate.vault import stage as vault
from tests.food import FOOD

DATABASE = "bench_bloat"
_CATALOGS = (
    "pg_class",
    "pg_attribute",
    "pg_type",
    "pg_depend",
    "pg_statistic",
    "pg_index",
    "pg_shdepend",
)
_OPS = ("watermarks", "stage_runs", "tags_waiting", "tag_outbox", "tag_versions")
_LAST = 100
# A tag for each category, which a guest has after a few orders.
_RULES = (
    "INSERT INTO cdm.tag_rules (kind, name, threshold, tag)"
    " SELECT 'category', name, 3, name FROM unnest(%s::text[]) AS name"
)

_STAGES: dict[str, Callable[[Settings, Caller], Outcome]] = {
    FOOD.vault: lambda *to: vault.run(to[0], FOOD, to[1]),
    dictionaries.STAGE: pipelines.look_up,
    **{
        name: lambda *to, name=name: marts.run(to[0], name, to[1])
        for name in load_marts("food")
    },
    tags.STAGE: tags.run,
    publish.STAGE: publish.run,
}


@dataclass
class Observation:
    """The state after a number of batches.

    ``sizes`` are KiB of table and of indexes, ``dead`` dead rows, by relation;
    ``stages`` the milliseconds of each stage in the last batches.
    """

    batches: int
    sizes: dict[str, tuple[int, int]]
    dead: dict[str, int]
    stages: dict[str, Samples] = field(default_factory=dict)


def measure(
    services: Services, *, batches: int, size: int, observations: int, seconds: float
) -> Iterator[Observation]:
    """Run small batches through the stages; measure before, at intervals, and after.

    Messages are put into STG directly: the drain makes no temporary table.

    :param batches: how many
    :param size: messages in each
    :param observations: at how many equal distances to measure
    :param seconds: stop after the batch in which so many are over
    """
    services.fresh_warehouse(DATABASE)
    services.fill_dictionary(batches * size)
    settings = services.settings(DATABASE)
    with connect(settings) as conn:
        conn.execute(_RULES, (orders.categories(),))
    deadline = time.monotonic() + seconds
    times: dict[str, Samples] = defaultdict(Samples)
    _batch(settings, size, times)
    yield _observe(settings, 1, {})
    for number in range(2, batches + 1):
        _batch(settings, size, times)
        late = time.monotonic() > deadline
        if late or number == batches or number % max(batches // observations, 1) == 0:
            last = {name: Samples(one.values[-_LAST:]) for name, one in times.items()}
            yield _observe(settings, number, last)
        if late:
            return


def show(observations: list[Observation]) -> None:
    """Print a column per measurement."""
    console = Console(width=160)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("after batches", no_wrap=True)
    for one in observations:
        table.add_column(str(one.batches), justify="right", no_wrap=True)
    relations = sorted({name for one in observations for name in one.sizes})
    for name in relations:
        table.add_row(
            f"{name}, KiB table + indexes",
            *["{} + {}".format(*one.sizes.get(name, (0, 0))) for one in observations],
        )
    for name in relations:
        table.add_row(
            f"{name}, dead", *[str(one.dead.get(name, 0)) for one in observations]
        )
    for name in observations[-1].stages:
        cells = [one.stages.get(name) for one in observations]
        table.add_row(
            f"{name}, ms median of the last {_LAST}",
            *[f"{cell.median:.1f}" if cell else "-" for cell in cells],
        )
    console.print(table)


def _batch(settings: Settings, size: int, times: dict[str, Samples]) -> None:
    stage(settings, size)
    for name, run in _STAGES.items():
        with times[name].timed(1000):
            run(settings, Caller.in_shell(name))


def _observe(
    settings: Settings, batches: int, stages: dict[str, Samples]
) -> Observation:
    query = (
        "SELECT s.relname, pg_table_size(s.relid) / 1024,"
        " pg_indexes_size(s.relid) / 1024, s.n_dead_tup FROM pg_stat_all_tables AS s"
        " WHERE (s.schemaname = 'pg_catalog' AND s.relname = ANY(%s))"
        " OR s.schemaname = 'cdm'"
        " OR (s.schemaname = 'ops' AND s.relname = ANY(%s))"
    )
    with connect(settings) as conn:
        rows = conn.execute(query, (list(_CATALOGS), list(_OPS))).fetchall()
    return Observation(
        batches,
        {name: (int(table), int(indexes)) for name, table, indexes, _ in rows},
        {name: int(dead) for name, _, _, dead in rows},
        stages,
    )
