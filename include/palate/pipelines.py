"""The whole pipeline once, stage after stage, without an orchestrator."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from palate import marts, publish, tags, vault
from palate.engine import Outcome, shell_caller
from palate.errors import PalateError, SettingsError
from palate.landing import dictionaries, drain
from palate.marts import load_marts
from palate.settings import Settings

log = logging.getLogger(__name__)


def run_pipeline(settings: Settings) -> Iterator[Outcome]:
    """Run drain, vault, dictionaries, and what follows the vault; yield each outcome.

    A stage that fails ends the run; what was committed before stays, and the next run
    goes on from there. A drain that fails may have read what other partitions had: that
    is loaded first.
    """
    failed: PalateError | None = None
    try:
        yield drain.run(settings, shell_caller(drain.STAGE))
    except SettingsError:
        raise
    except PalateError as error:
        failed = error
    try:
        for name, stage in (
            (vault.STAGE, vault.run),
            (dictionaries.STAGE, dictionaries.run),
        ):
            yield stage(settings, shell_caller(name))
        yield from follow_vault(settings)
    except PalateError as error:
        if failed is None:
            raise
        log.error("%s", error)  # the run ends with what failed first
    if failed:
        raise failed


def follow_vault(settings: Settings) -> Iterator[Outcome]:
    """Run the marts side by side, then tags and publish; yield each outcome."""
    with ThreadPoolExecutor() as pool:
        running = [
            pool.submit(marts.run, settings, name, shell_caller(name))
            for name in load_marts()
        ]
        for future in running:
            yield future.result()
    yield tags.run(settings, shell_caller(tags.STAGE))
    yield publish.run(settings, shell_caller(publish.STAGE))
