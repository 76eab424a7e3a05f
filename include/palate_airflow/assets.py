"""The assets of the areas that are on, so that the asset graph shows the data flow.

Their URIs name the Connections, not the hosts: they stay the same wherever the pipeline
runs, and reading a DAG file needs no Connection.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import get_args

from airflow.sdk import Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable
from pydantic import SecretStr

from palate.check_definitions import Check, load_checks
from palate.names import AREAS_FOLDER
from palate.settings import Settings
from palate.sources import Area, Layer, catalog
from palate_airflow.bell import KafkaBell

_SETTINGS = Settings(dwh_dsn=SecretStr(""))


def areas() -> dict[str, Area]:
    """Return the areas that are on and can be read, by their names.

    Not cached: this module is loaded once, as long as Airflow runs, and a new area must
    get its DAG without a restart; so must a new mart its task.
    """
    return {area.name: area for area in catalog.areas(_SETTINGS)}


def area(name: str) -> Area | None:
    """Return an area that is on; None if it is off.

    :raises DefinitionError: if it can't be read: then its DAGs show that, and stay
    """
    if name not in catalog.names_on(_SETTINGS):
        return None
    return catalog.load_area(name)


def topic(name: str) -> Asset:
    """Return the asset of a Kafka topic."""
    return Asset(name, uri=f"kafka://kafka:9092/{name}", group="kafka")


def topics_of(area: Area) -> list[str]:
    """Return the names of an area's topics."""
    return sorted(catalog.topics(_SETTINGS, area))


def all_topics() -> list[str]:
    """Return the names of the topics of all areas."""
    return sorted(catalog.all_topics(_SETTINGS))


def waiting_or_five_minutes(area: Area) -> AssetOrTimeSchedule:
    """Return the schedule of an area's DAG: when messages wait, and every five minutes.

    The ticks are the safety net, and make the DAG fit for backfills: each has an
    interval, so that a run's dates say which broker times it covers.
    """
    topics = sorted(catalog.prompt_topics(_SETTINGS, area))
    bell = AssetWatcher(name="bell", trigger=KafkaBell(topics=topics))
    return AssetOrTimeSchedule(
        # What the bell rings for; it has no data of its own.
        assets=[Asset(f"{area.label}_waiting", group="kafka", watchers=[bell])],
        timetable=CronTriggerTimetable(
            "*/5 * * * *", timezone="UTC", interval=timedelta(minutes=5)
        ),
    )


def table(name: str) -> Asset:
    """Return the asset of a table or view of the warehouse.

    :param name: with its schema, such as ``cdm.user_product_counters``
    """
    schema, relation = name.split(".")
    return Asset(name, uri=f"postgres://dwh:5432/dwh/{schema}/{relation}", group=schema)


def vault(area: Area) -> Asset:
    """Return the asset that stands for an area's vault."""
    return table(f"dds.{area.asset}")


def marts(names: Iterable[str]) -> dict[str, Asset]:
    """Return the assets of the marts of some areas by the marts' names."""
    return {
        path.parent.name: table(f"cdm.{path.parent.name}")
        for area in names
        for path in sorted(AREAS_FOLDER.glob(f"{area}/cdm/*/mart.yaml"))
    }


def checks() -> list[Check]:
    """Return the checks of the areas that are on.

    A folder of checks that is called like a layer is about that.
    """
    on = areas()
    layers = {layer for area in on.values() for layer in area.stages}
    return [
        one
        for one in load_checks()
        if one.area in (None, *on)
        and (one.group in layers or one.group not in get_args(Layer))
    ]


def copies(area: Area) -> dict[str, Asset]:
    """Return the assets of the copies in another database, by their marts' names.

    None of those whose database has no address.
    """
    if "copies" not in area.stages:
        return {}
    # Not for all: other areas' DAGs would take longer to read.
    from palate import copies as wing

    return {
        mart.name: _copy(mart.copied_to.setting, mart.copied_to.table)
        for mart in wing.wanted(_SETTINGS, area.name)
        if mart.copied_to
    }


def _copy(setting: str, name: str) -> Asset:
    database = setting.removesuffix("_dsn")
    schema, relation = name.split(".")
    return Asset(
        f"{database}: {name}",
        uri=f"postgres://{database}:5432/{database}/{schema}/{relation}",
        group=database,
    )


MESSAGES = table("stg.order_events")
DICTIONARIES = Asset("dictionaries", uri="redis://redis:6379/0", group="redis")
# Snapshots of a source whose changes are captured.
SNAPSHOTS = table("dds.snapshot_reads")
DICTIONARY_ENTRIES = table("stg.dictionary_entries")
TAG_RULES = table("cdm.tag_rules")
TAGS = table("cdm.user_tags")


def counted_from(area: Area) -> list[Asset]:
    """Return the inputs of an area's marts: its vault, and names and categories."""
    names = [DICTIONARY_ENTRIES] if "dictionaries" in area.stages else []
    return [vault(area), *names]


def published_from(area: Area) -> list[Asset]:
    """Return the inputs of the published feeds; two of these are optional."""
    found = [TAGS]
    if _SETTINGS.palate_publish_orders_to:
        found += counted_from(area)
    if _SETTINGS.palate_publish_counters_to:
        found += marts([area.name]).values()
    return found


def published() -> list[Asset]:
    """Return the published feeds."""
    optional = (
        _SETTINGS.palate_publish_orders_to,
        _SETTINGS.palate_publish_counters_to,
    )
    return [
        topic(_SETTINGS.palate_tags_topic),
        Asset("tags_of_the_app", uri="redis://redis:6379/0/tags", group="redis"),
        *(topic(name) for name in optional if name),
    ]
