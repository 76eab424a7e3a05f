"""The areas and their sources, read from the folders below ``sql/areas``.

An area with a wrong file is left out, so that it stops no other one (ADR 0030).
Whoever names it gets its error, and ``palate migrate`` refuses it first.
"""

import logging
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from palate.definition_files import mapping, valid
from palate.errors import DefinitionError, NotFoundError, SettingsError
from palate.names import AREAS_FOLDER, is_replay
from palate.settings import Settings
from palate.sources.changes import load_changed_tables
from palate.sources.definition import Area, Source
from palate.sources.shape import load_shapes

log = logging.getLogger(__name__)

_GUIDE = "Add a source"


def area_names(folder: Path = AREAS_FOLDER) -> tuple[str, ...]:
    """Return the names of all areas: of the folders with an ``area.yaml``."""
    return tuple(sorted(path.parent.name for path in folder.glob("*/area.yaml")))


@lru_cache(maxsize=16)
def load_area(name: str, folder: Path = AREAS_FOLDER) -> Area:
    """Read an area and its sources.

    :raises DefinitionError: names the file, the field and what to do
    """
    path = folder / name / "area.yaml"
    if not path.exists():
        message = f"There is no area {name}: {path} is not there."
        raise DefinitionError(message)
    values = {"prefix": f"{name}/", "dag": f"{name}_stream"} | mapping(path)
    sources = []
    for one in sorted((folder / name / "sources").glob("*/source.yaml")):
        own = mapping(one) | {"name": one.parent.name, "area": name}
        source = valid(one, Source, own, _GUIDE)
        _refuse_unknown_forms(one, source)
        sources.append(source)
    area = valid(path, Area, values | {"name": name, "sources": sources}, _GUIDE)
    for found in sorted((folder / name / "sources").iterdir()):
        if found.is_dir() and found.name not in [one.name for one in sources]:
            message = (
                f"{found}: it has no source.yaml, so no message would ever come to it. "
                "Write one (CONTRIBUTING.md, 'Add a source'), or take the folder away."
            )
            raise DefinitionError(message)
    return area


def names_on(settings: Settings, folder: Path = AREAS_FOLDER) -> tuple[str, ...]:
    """Return the names of the areas that are on, whether they can be read or not.

    :raises SettingsError: if ``PALATE_AREAS`` names one that is not there
    """
    known = area_names(folder)
    wanted = [name for name in re.split(r"[\s,]+", settings.palate_areas) if name]
    for name in wanted:
        if name not in known:
            message = (
                f"Settings can't be used: PALATE_AREAS names {name}, and there is no "
                f"sql/areas/{name}/area.yaml. There are: {', '.join(known)}."
            )
            raise SettingsError(message)
    if not wanted:
        return tuple(name for name in known if not _is_only_if_named(name, folder))
    return tuple(name for name in known if name in wanted)


def areas(settings: Settings) -> tuple[Area, ...]:
    """Return the areas that are on, those with bare names in the ledger first.

    One that can't be read is left out, with a warning.

    :raises DefinitionError: if none can be read
    """
    names = names_on(settings)
    wrong = errors(names)
    if names and len(wrong) == len(names):
        raise next(iter(wrong.values()))
    for name in wrong:
        warn_left_out(name, str(wrong[name]))
    found = [load_area(name) for name in names if name not in wrong]
    return tuple(sorted(found, key=lambda area: (area.prefix, area.name)))


def all_areas() -> list[Area]:
    """Return the areas that can be read, on or off."""
    wrong = errors(area_names())
    return [load_area(name) for name in area_names() if name not in wrong]


def errors(
    names: Iterable[str], *others: Callable[[str], object]
) -> dict[str, DefinitionError]:
    """Return what is wrong with each area whose files can't be read.

    :param others: read further files of an area, by its name
    """
    readers: tuple[Callable[[str], object], ...] = (load_area, *others)
    found = {}
    for name in names:
        try:
            for read in readers:
                read(name)
        except DefinitionError as error:
            found[name] = error
    return found


@lru_cache(maxsize=16)
def warn_left_out(name: str, why: str) -> None:
    """Log that an area is left out; once, however often it is found."""
    log.warning("The area %s is left out, and runs no stage. %s", name, why)


def find_area(settings: Settings, name: str) -> Area:
    """Return an area that is on.

    :raises NotFoundError: if it is not there, or off
    :raises DefinitionError: if it can't be read
    """
    on = names_on(settings)
    if name not in on:
        message = (
            f"There is no area {name}, or PALATE_AREAS leaves it out. On are: "
            f"{', '.join(on)}."
        )
        raise NotFoundError(message)
    return load_area(name)


def area_with(settings: Settings, stage: str) -> Area:
    """Return the area that is on and has a stage which only one has.

    :raises NotFoundError: if there is none
    :raises DefinitionError: if it may be in an area that can't be read
    """
    for area in areas(settings):
        if stage in area.stages:
            return area
    refuse_errors(settings)
    message = f"No area that is on has the stage {stage} (PALATE_AREAS)."
    raise NotFoundError(message)


def refuse_errors(settings: Settings, *others: Callable[[str], object]) -> None:
    """Check that all areas can be read, where something was found in none of them.

    :raises DefinitionError: what is wrong with the first that can't be
    """
    for error in errors(names_on(settings), *others).values():
        raise error


def topics(settings: Settings, area: Area) -> dict[str, str]:
    """Return the topics of an area, each with the form of its messages.

    :raises SettingsError: if ``PALATE_TOPICS`` names a form that no source has
    """
    named = settings.palate_topics or {}
    forms = {form for source in area.sources for form in source.forms}
    _refuse_unknown({t: form for t, form in named.items() if form not in forms})
    found: dict[str, str] = {}
    for source in area.sources:
        own = {topic: form for topic, form in named.items() if form in source.forms}
        found |= own or source.topics_by(settings)
    return found


def forms(settings: Settings, area: Area) -> dict[str, str]:
    """Return the form of each log's messages: of a source's own feed its name."""
    own = {one.feed: one.feed for one in area.sources if one.feed and one.topics}
    return topics(settings, area) | own


def prompt_topics(settings: Settings, area: Area) -> list[str]:
    """Return the topics whose messages start a run, and are to be in the marts soon."""
    quiet = {form for source in area.sources for form in source.quiet}
    found = topics(settings, area)
    return [topic for topic, form in found.items() if form not in quiet]


def all_topics(settings: Settings) -> dict[str, str]:
    """Return the topics of all areas that are on, each with its form."""
    return {
        topic: form
        for area in areas(settings)
        for topic, form in topics(settings, area).items()
    }


def sources_for(
    settings: Settings, area: Area, logs: Iterable[str]
) -> tuple[Source, ...]:
    """Return the sources that positions of these topics or feeds may belong to."""
    names = set(logs)
    has_replays = any(map(is_replay, names))
    forms = {topics(settings, area).get(name) for name in names}
    return tuple(
        source
        for source in area.sources
        if source.feed in names
        or (has_replays and source.is_replayed)
        or (source.topics and source.forms & forms)
    )


def _refuse_unknown_forms(path: Path, source: Source) -> None:
    """Check that each form of messages has a shape: else none would be judged."""
    if source.taken_by:
        return
    shape, tables = path.with_name("shape.yaml"), path.with_name("tables.yaml")
    has = [one.form for one in load_shapes(shape)] if shape.exists() else []
    if tables.exists():
        has += [one.name for one in load_changed_tables(tables)]
        shape = tables
    unknown = sorted(source.forms - set(has))
    if unknown:
        message = (
            f"{path}: topics have messages of the form {', '.join(unknown)}, and "
            f"{shape.name} beside it has the forms: {', '.join(has) or 'none'}. "
            f"Correct one of them (CONTRIBUTING.md, '{_GUIDE}')."
        )
        raise DefinitionError(message)


def _refuse_unknown(named: dict[str, str]) -> None:
    """Check that topics whose form one area does not have belong to another one.

    They may belong to one that can't be read.
    """
    if errors(area_names()):
        return
    for topic, form in named.items():
        known = {
            form
            for name in area_names()
            for source in load_area(name).sources
            for form in source.forms
        }
        if form not in known:
            message = (
                f"Settings can't be used: PALATE_TOPICS.{topic}: no source has "
                f"messages of the form {form!r}. There are: "
                f"{', '.join(sorted(known))}."
            )
            raise SettingsError(message)


def _is_only_if_named(name: str, folder: Path) -> bool:
    try:
        return bool(_fields(folder / name / "area.yaml").get("only_if_named"))
    except DefinitionError:
        return False  # whoever reads it next gets the error


@lru_cache(maxsize=16)
def _fields(path: Path) -> dict[str, Any]:
    return mapping(path)
