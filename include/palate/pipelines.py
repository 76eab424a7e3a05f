"""The stages of each area in their order; and all run once, without Airflow."""

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from palate import copies, marts, publish, readable, tags, vault
from palate.engine import Caller, Outcome, Pipeline, Stage
from palate.errors import DefinitionError, NotFoundError, PalateError, SettingsError
from palate.landing import dictionaries, drain
from palate.settings import Settings
from palate.sources import Area, Layer, catalog

log = logging.getLogger(__name__)


def pipeline(area: Area) -> Pipeline:
    """Return the stages that an area's ``area.yaml`` names.

    Also those of copies that have no address: they are left out when it is run.

    :raises DefinitionError: if one of its marts can't be read, or names a copy that the
        area has no stage for
    """
    if "copies" not in area.stages:
        for mart in marts.load_marts(area.name).values():
            if mart.copied_to:
                message = (
                    f"sql/{mart.folder}/mart.yaml: copied_to: sql/areas/{area.name}/"
                    "area.yaml has no `copies` among its stages. Add it, after marts."
                )
                raise DefinitionError(message)
    return Pipeline(area.name, tuple(_LAYERS[name](area) for name in area.stages))


def find_stage(settings: Settings, name: str) -> Stage:
    """Return the stage of a name in the ledger, of any area that is on.

    :raises NotFoundError: if there is none
    :raises DefinitionError: if it may be in an area that can't be read
    """
    for area in readable.areas(settings):
        for stage in pipeline(area):
            if stage.name == name:
                return stage
    readable.refuse_errors(settings)
    message = (
        f"There is no stage {name}: its definition is gone, or PALATE_AREAS leaves out "
        "its area. Its task goes with the next parse of the DAGs."
    )
    raise NotFoundError(message)


def look_up(settings: Settings, caller: Caller) -> Outcome:
    """Ask Redis for the entries that are due, and load what was found."""
    area = catalog.area_with(settings, "dictionaries")
    load = partial(_load_waiting, area)
    return dictionaries.run(settings, area, caller, load)


def look_up_all(settings: Settings, caller: Caller) -> Outcome:
    """Ask Redis for every entry again, and load what changed."""
    area = catalog.area_with(settings, "dictionaries")
    load = partial(_load_waiting, area)
    return dictionaries.sync(settings, area, caller, load)


def run_pipeline(settings: Settings) -> Iterator[Outcome]:
    """Run every stage of every area once; yield each outcome.

    A stage that fails ends its area's run; what was committed stays, and the next run
    goes on from there. A failed drain may have staged other partitions: those are
    loaded first. Other areas are run all the same; the first failure is raised last.

    :raises DefinitionError: if an area can't be read, once the others have run
    """
    failed: PalateError | None = None
    for area in readable.areas(settings):
        first, *others = pipeline(area).layers
        for layers in ([first], others):
            try:
                yield from _run(settings, layers)
            except SettingsError:
                raise
            except PalateError as error:
                if failed:
                    log.error("%s", error)  # the run ends with the first failure
                failed = failed or error
    if failed:
        raise failed
    readable.refuse_errors(settings)


def follow_replays(settings: Settings) -> Iterator[Outcome]:
    """Run what takes replayed messages, in each area; yield outcomes.

    Those are the vault, and what follows it without asking a service.
    """
    for area in readable.areas(settings):
        before = ("drain", "records", "dictionaries")
        names = [name for name in area.stages if name not in before]
        yield from _run(settings, [_LAYERS[name](area) for name in names])


def follow_dictionaries(settings: Settings) -> Iterator[Outcome]:
    """Run what follows the dictionaries: marts, tags, publish; yield outcomes."""
    area = catalog.area_with(settings, "dictionaries")
    yield from _run(settings, pipeline(area).behind(dictionaries.STAGE))


def follow_vault(settings: Settings, area: Area) -> Iterator[Outcome]:
    """Run what follows an area's vault; yield outcomes."""
    yield from _run(settings, pipeline(area).behind(area.vault))


def _drains(area: Area) -> tuple[Stage, ...]:
    return (Stage(area.drain, partial(_with_area, drain.run, area)),)


def _vaults(area: Area) -> tuple[Stage, ...]:
    run = partial(_with_area, vault.run, area)
    return (Stage(area.vault, run, upstream=area.upstream, reads_staging=True),)


def _records(area: Area) -> tuple[Stage, ...]:
    run = partial(_with_area, _judge_files, area)
    name = area.stage("records")
    return (Stage(name, run, upstream=(area.drain,)),)


def _dictionaries(area: Area) -> tuple[Stage, ...]:
    return (
        Stage(
            dictionaries.STAGE,
            look_up,
            upstream=(area.vault,),
            marks=(dictionaries.NAMING_STAGE,),
        ),
    )


def _marts(area: Area) -> tuple[Stage, ...]:
    return tuple(
        Stage(
            mart.stage,
            partial(_count, mart.name),
            upstream=(area.vault,),
            is_optional=True,
        )
        for mart in marts.load_marts(area.name).values()
    )


def _copies(area: Area) -> tuple[Stage, ...]:
    return tuple(
        Stage(
            mart.copy_stage,
            partial(_copy, mart.name),
            upstream=(mart.stage,),
            marks=(),  # its watermark is in the other database
            is_optional=True,
            is_on=mart.is_copied,
        )
        for mart in marts.load_marts(area.name).values()
        if mart.copied_to
    )


def _tags(area: Area) -> tuple[Stage, ...]:
    return (Stage(tags.STAGE, tags.run, upstream=(area.vault,), marks=()),)


def _publish(area: Area) -> tuple[Stage, ...]:
    return (
        Stage(
            publish.STAGE,
            publish.run,
            upstream=(area.vault,),
            marks=(publish.ORDERS,),
            is_optional=True,
        ),
    )


_LAYERS: dict[Layer, Callable[[Area], tuple[Stage, ...]]] = {
    "drain": _drains,
    "records": _records,
    "vault": _vaults,
    "dictionaries": _dictionaries,
    "marts": _marts,
    "copies": _copies,
    "tags": _tags,
    "publish": _publish,
}


def _with_area(
    run: Callable[..., Outcome], area: Area, settings: Settings, caller: Caller
) -> Outcome:
    return run(settings, area, caller)


def _judge_files(settings: Settings, area: Area, caller: Caller) -> Outcome:
    # Only where the area is on: it costs a tenth of a second to import.
    from palate.files import stage

    return stage.run(settings, area, caller)


def _load_waiting(area: Area, settings: Settings, caller: Caller) -> Outcome:
    return vault.stage.load_waiting(settings, area, caller)


def _count(mart: str, settings: Settings, caller: Caller) -> Outcome:
    return marts.run(settings, mart, caller)


def _copy(mart: str, settings: Settings, caller: Caller) -> Outcome:
    return copies.run(settings, mart, caller)


def _run(settings: Settings, layers: Iterable[tuple[Stage, ...]]) -> Iterator[Outcome]:
    for stages in layers:
        layer = [stage for stage in stages if stage.is_on(settings)]
        if not layer:
            continue
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
