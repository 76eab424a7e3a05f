"""The stages in their order; and all of them run once, without Airflow."""

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from palate import marts, publish, tags, vault
from palate.engine import Caller, Outcome, Pipeline, Stage
from palate.errors import PalateError, SettingsError
from palate.landing import dictionaries, drain
from palate.settings import Settings

log = logging.getLogger(__name__)


def food() -> Pipeline:
    """Return the stages of the orders; each mart's folder adds one."""
    return Pipeline(
        "food",
        (
            (Stage(drain.STAGE, drain.run),),
            (
                Stage(
                    vault.STAGE,
                    vault.run,
                    upstream=vault.stage.UPSTREAM,
                    reads_staging=True,
                ),
            ),
            (
                Stage(
                    dictionaries.STAGE,
                    look_up,
                    upstream=(vault.STAGE,),
                    marks=(dictionaries.NAMING_STAGE,),
                ),
            ),
            tuple(
                Stage(
                    mart.stage,
                    _counting(mart.name),
                    upstream=(vault.STAGE,),
                    is_optional=True,
                )
                for mart in marts.load_marts().values()
            ),
            (Stage(tags.STAGE, tags.run, marks=()),),
            (
                Stage(
                    publish.STAGE,
                    publish.run,
                    upstream=(vault.STAGE,),
                    marks=(publish.ORDERS,),
                    is_optional=True,
                ),
            ),
        ),
    )


def look_up(settings: Settings, caller: Caller) -> Outcome:
    """Ask Redis for the entries that are due, and load what was found."""
    return dictionaries.run(settings, caller, vault.stage.load_waiting)


def look_up_all(settings: Settings, caller: Caller) -> Outcome:
    """Ask Redis for every entry again, and load what changed."""
    return dictionaries.sync(settings, caller, vault.stage.load_waiting)


def run_pipeline(settings: Settings) -> Iterator[Outcome]:
    """Run every stage once; yield each outcome.

    A stage that fails ends the run; what was committed stays, and the next run goes on
    from there. A failed drain may have staged other partitions: those are loaded first.
    """
    first, *others = food().layers
    failed: PalateError | None = None
    try:
        yield from _run(settings, [first])
    except SettingsError:
        raise
    except PalateError as error:
        failed = error
    try:
        yield from _run(settings, others)
    except PalateError as error:
        if failed is None:
            raise
        log.error("%s", error)  # the run ends with the first failure
    if failed:
        raise failed


def follow_vault(settings: Settings) -> Iterator[Outcome]:
    """Run the stages after the dictionaries: marts, tags, publish; yield outcomes."""
    yield from _run(settings, food().behind(dictionaries.STAGE))


def _counting(mart: str) -> Callable[[Settings, Caller], Outcome]:
    return lambda settings, caller: marts.run(settings, mart, caller)


def _run(settings: Settings, layers: Iterable[tuple[Stage, ...]]) -> Iterator[Outcome]:
    for layer in layers:
        if len(layer) == 1:
            yield layer[0].run(settings, Caller.in_shell(layer[0].name))
            continue
        with ThreadPoolExecutor() as pool:
            running = [
                pool.submit(stage.run, settings, Caller.in_shell(stage.name))
                for stage in layer
            ]
            for future in running:
                yield future.result()
