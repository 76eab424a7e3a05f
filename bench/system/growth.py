"""What an order costs as the store grows: vault and marts, batch by batch."""

from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import product

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from bench import orders
from bench.pipeline import check
from bench.samples import Samples
from bench.services import Services, console
from bench.store import stage, staged
from palate import pipelines
from palate.database import connect
from palate.engine.outcome import Caller, Outcome
from palate.landing import dictionaries
from palate.marts import stage as marts
from palate.marts.definitions import load_marts
from palate.schema.migrate import migrate
from palate.settings import Settings
from palate.vault import stage as vault
from tests.food import FOOD

BATCH = 1_000
TOTAL = "vault and marts"
WAL = "WAL"

_CHUNK = 50_000
_WARM_UP = 5
# Measuring on a store of fewer orders would visibly enlarge it.
_COPIED_ANEW_BELOW = 1_000_000
_FILLING = "bench_filling"


@dataclass
class Size:
    """What a message costs at one size of the store, with or without checkpoints.

    ``rounds`` has, for each round, the seconds of each stage and of ``TOTAL``, and the
    bytes of ``WAL``.
    """

    orders: int
    checkpoints: bool
    rounds: list[dict[str, Samples]] = field(default_factory=list)

    def all_rounds(self, name: str) -> Samples:
        """Return the values of all rounds of a stage, of ``TOTAL`` or of ``WAL``."""
        return Samples([value for one in self.rounds for value in one[name].values])

    def ratios(self, name: str, other: "Size") -> Samples:
        """Return how many times the cost of another size it is, in each round."""
        pairs = zip(self.rounds, other.rounds, strict=True)
        return Samples([mine[name].median / its[name].median for mine, its in pairs])


def measure(
    services: Services, *, sizes: list[int], rounds: int, batches: int
) -> list[Size]:
    """Fill a store to each size, and measure on copies of them in turns.

    Full stores are kept as databases, so that a later run (on the same stack) need not
    fill them again, and an interrupted one resumes.

    :param sizes: orders in store, ascending
    :param rounds: how often each size has its turn; a ratio is that of one round
    :param batches: in each round, with and without a checkpoint before each
    :raises RuntimeError: if the marts differ from the vault at the end
    """
    services.fill_dictionary(sizes[-1] + 100 * BATCH)
    results = {
        (size, checkpoints): Size(size, checkpoints)
        for size in sizes
        for checkpoints in (False, True)
    }
    with _progress() as progress:
        filling = progress.add_task("Filling", total=orders.messages_for(sizes[-1]))
        per_turn = _WARM_UP + 2 * batches
        measuring = progress.add_task("Measuring", total=rounds * len(sizes) * per_turn)
        below = None
        for size in sizes:
            if not services.has_database(store(size)):
                fill(services, size, below, partial(progress.update, filling))
            progress.update(filling, completed=orders.messages_for(size))
            below = size
        for number, size in product(range(rounds), sizes):
            if number == 0 or size < _COPIED_ANEW_BELOW:
                services.copy_database(store(size), _copy(size))
                migrate(services.settings(_copy(size)))
            for checkpoints, series in _measure_turn(services, size, batches).items():
                results[size, checkpoints].rounds.append(series)
            progress.advance(measuring, per_turn)
    for size in sizes:
        check(services.settings(_copy(size)))
        services.drop_database(_copy(size))
    return list(results.values())


def _measure_turn(
    services: Services, size: int, batches: int
) -> dict[bool, dict[str, Samples]]:
    """Measure batches without checkpoints, then with one before each.

    In this order, since the effect of a checkpoint lasts for several batches.
    """
    settings = services.settings(_copy(size))
    for _ in range(_WARM_UP):
        _measure_batch(settings, defaultdict(Samples))
    found: dict[bool, dict[str, Samples]] = {}
    for checkpoints in (False, True):
        found[checkpoints] = defaultdict(Samples)
        for _ in range(batches):
            if checkpoints:
                services.checkpoint()
            _measure_batch(settings, found[checkpoints])
    return found


def fill(
    services: Services,
    size: int,
    below: int | None = None,
    update: Callable[..., object] = dict,
) -> None:
    """Create the store of a size, from that of the size below if there is one.

    :param update: called with the number of messages so far, as ``completed``
    """
    if not services.has_database(_FILLING):
        if below:
            services.copy_database(store(below), _FILLING)
        else:
            services.fresh_warehouse(_FILLING)
    settings = services.settings(_FILLING)
    migrate(settings)
    wanted = orders.messages_for(size)
    while (there := staged(settings)) < wanted:
        update(completed=there)
        load(settings)  # left by an interrupted run
        stage(settings, min(_CHUNK, wanted - there))
        load(settings)
    services.vacuum(_FILLING)
    services.rename_database(_FILLING, store(size))
    console.print(f"The store of {size:,} orders is full.")


def store(size: int) -> str:
    """Return the name of the database that has so many orders, once it is full."""
    return f"bench_store_{size}"


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def _copy(size: int) -> str:
    return f"bench_growth_{size}"


def load(settings: Settings) -> None:
    """Bring vault and marts up to STG, the marts in parallel."""
    vault.run(settings, FOOD, Caller.in_shell("vault"))
    pipelines.look_up(settings, Caller.in_shell("dictionaries"))
    with ThreadPoolExecutor() as pool:
        for done in [
            pool.submit(marts.run, settings, name, Caller.in_shell(name))
            for name in load_marts("food")
        ]:
            done.result()


def _measure_batch(settings: Settings, series: dict[str, Samples]) -> None:
    stage(settings, BATCH)
    start = _wal_bytes(settings)
    runs: dict[str, Callable[[Settings, Caller], Outcome]] = {
        FOOD.vault: lambda *to: vault.run(to[0], FOOD, to[1]),
        dictionaries.STAGE: pipelines.look_up,
        **{name: partial(_run_mart, name) for name in load_marts("food")},
    }
    for name, run in runs.items():
        with series[name].timed(1 / BATCH):
            run(settings, Caller.in_shell(name))
    total = sum(series[name].values[-1] for name in runs if name != dictionaries.STAGE)
    series[TOTAL].values.append(total)
    series[WAL].values.append((_wal_bytes(settings) - start) / BATCH)


def _run_mart(name: str, settings: Settings, caller: Caller) -> Outcome:
    return marts.run(settings, name, caller)


def _wal_bytes(settings: Settings) -> int:
    with connect(settings) as conn:
        row = conn.execute("SELECT pg_current_wal_insert_lsn() - '0/0'").fetchone()
    return int(row[0]) if row else 0
