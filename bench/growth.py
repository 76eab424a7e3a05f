"""What an order costs as the store grows: vault and marts, batch by batch."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

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
from palate import dictionaries, marts, vault
from palate.database import connect
from palate.migrate import migrate
from palate.settings import Settings
from palate.stage import Caller, Outcome, shell_caller

BATCH = 1_000
_CHUNK = 50_000
_WARM_UP = 10
_MEASURED = "bench_growth"
_FILLING = "bench_filling"


@dataclass
class Size:
    """Seconds per message of each stage, at one size of the store.

    ``is_again`` marks the smallest size, measured once more at the end: by how much it
    differs from the first time, the machine has changed meanwhile.
    """

    orders: int
    checkpoints: bool
    is_again: bool = False
    stages: dict[str, Samples] = field(default_factory=dict)
    wal: Samples = field(default_factory=Samples)

    def total(self) -> Samples:
        """Return the sum of vault and marts, repetition by repetition."""
        counted = [
            samples.values
            for name, samples in self.stages.items()
            if name == vault.STAGE or name in marts.load_marts()
        ]
        return Samples([sum(values) for values in zip(*counted, strict=True)])


def measure(services: Services, *, sizes: list[int], batches: int) -> list[Size]:
    """Fill a store to each size, and measure on a copy of it.

    Full stores are kept as databases of their own, so that a later run (on the same
    stack) need not fill them again, and an interrupted one goes on.

    :param sizes: orders in store, ascending
    :param batches: repetitions, each with and without a checkpoint before it
    :raises RuntimeError: if the marts are not what the vault says at the end
    """
    services.fill_dictionary(sizes[-1] + 100 * BATCH)
    results = []
    with _progress() as progress:
        filling = progress.add_task("Filling", total=orders.messages_for(sizes[-1]))
        measuring = progress.add_task(
            "Measuring", total=(len(sizes) + 1) * 2 * (_WARM_UP + batches)
        )
        below = None
        for size in sizes:
            if not services.has_database(store(size)):
                _fill(services, size, below, partial(progress.update, filling))
            progress.update(filling, completed=orders.messages_for(size))
            below = size
            results += _measure_size(
                services, size, batches, partial(progress.advance, measuring)
            )
        results += _measure_size(
            services, sizes[0], batches, partial(progress.advance, measuring), True
        )
    return results


def _measure_size(
    services: Services,
    size: int,
    batches: int,
    advance: Callable[[], None],
    is_again: bool = False,
) -> list[Size]:
    services.copy_database(store(size), _MEASURED)
    settings = services.settings(_MEASURED)
    migrate(settings)
    results = []
    # Without checkpoints first: what one does lasts for several batches.
    for checkpoints in (False, True):
        result = Size(size, checkpoints, is_again)
        for number in range(-_WARM_UP, batches):
            if checkpoints:
                services.checkpoint()
            warming_up = Size(size, checkpoints)
            _measure_batch(settings, result if number >= 0 else warming_up)
            advance()
        results.append(result)
    if not is_again:
        check(settings)
    return results


def _fill(
    services: Services, size: int, below: int | None, update: Callable[..., None]
) -> None:
    """Make the store of a size from that of the size below."""
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
        _load(settings)  # what an interrupted run has left
        stage(settings, min(_CHUNK, wanted - there))
        _load(settings)
    services.vacuum(_FILLING)
    services.rename_database(_FILLING, store(size))


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


def _load(settings: Settings) -> None:
    """Bring vault and marts up to STG, the marts side by side."""
    vault.run(settings, shell_caller("vault"))
    dictionaries.run(settings, shell_caller("dictionaries"))
    with ThreadPoolExecutor() as pool:
        for done in [
            pool.submit(marts.run, settings, name, shell_caller(name))
            for name in marts.load_marts()
        ]:
            done.result()


def _measure_batch(settings: Settings, size: Size) -> None:
    stage(settings, BATCH)
    start = _wal_bytes(settings)
    runs: dict[str, Callable[[Settings, Caller], Outcome]] = {
        vault.STAGE: vault.run,
        dictionaries.STAGE: dictionaries.run,
        **{name: partial(_run_mart, name) for name in marts.load_marts()},
    }
    for name, run in runs.items():
        with size.stages.setdefault(name, Samples()).timed(1 / BATCH):
            run(settings, shell_caller(name))
    size.wal.values.append((_wal_bytes(settings) - start) / BATCH)


def _run_mart(name: str, settings: Settings, caller: Caller) -> Outcome:
    return marts.run(settings, name, caller)


def _wal_bytes(settings: Settings) -> int:
    with connect(settings) as conn:
        row = conn.execute("SELECT pg_current_wal_insert_lsn() - '0/0'").fetchone()
    return int(row[0]) if row else 0
