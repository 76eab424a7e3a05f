"""The assets of the pipeline, so that the asset graph shows the data flow.

Their URIs name the Connections, not the hosts: they stay the same wherever the pipeline
runs, and reading a DAG file needs no Connection.
"""

from datetime import timedelta

from airflow.sdk import Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable
from pydantic import SecretStr

from palate.names import AREAS_FOLDER
from palate.settings import Settings
from palate_airflow.bell import KafkaBell

_SETTINGS = Settings(dwh_dsn=SecretStr(""))
TOPICS = sorted(_SETTINGS.palate_topics)


def topic(name: str) -> Asset:
    """Return the asset of a Kafka topic."""
    return Asset(name, uri=f"kafka://kafka:9092/{name}", group="kafka")


# What the bell rings for; it has no data of its own.
ORDERS_WAITING = Asset(
    "orders_waiting",
    group="kafka",
    watchers=[AssetWatcher(name="bell", trigger=KafkaBell(topics=TOPICS))],
)
# The ticks are the safety net, and make the DAG fit for backfills: each has an
# interval, so that a run's dates say which broker times it covers.
ORDERS_WAITING_OR_FIVE_MINUTES = AssetOrTimeSchedule(
    assets=[ORDERS_WAITING],
    timetable=CronTriggerTimetable(
        "*/5 * * * *", timezone="UTC", interval=timedelta(minutes=5)
    ),
)
ORDER_TOPICS = [topic(name) for name in TOPICS]
DICTIONARIES = Asset("dictionaries", uri="redis://redis:6379/0", group="redis")


def table(name: str) -> Asset:
    """Return the asset of a table or view of the warehouse.

    :param name: with its schema, such as ``cdm.user_product_counters``
    """
    schema, relation = name.split(".")
    return Asset(name, uri=f"postgres://dwh:5432/dwh/{schema}/{relation}", group=schema)


ORDER_EVENTS = table("stg.order_events")
DICTIONARY_ENTRIES = table("stg.dictionary_entries")
VAULT = table("dds.v_order")
# The inputs of the marts: the orders, and the names and categories beside them.
COUNTED = [VAULT, DICTIONARY_ENTRIES]


def marts() -> dict[str, Asset]:
    """Return the assets of the marts by their names, one per folder of a mart.

    Not cached: this module is loaded once, as long as Airflow runs, and a new mart must
    get its task without a restart.
    """
    return {
        path.parent.name: table(f"cdm.{path.parent.name}")
        for path in sorted(AREAS_FOLDER.glob("*/cdm/*/mart.yaml"))
    }


TAG_RULES = table("cdm.tag_rules")
TAGS = table("cdm.user_tags")
# Published feeds and their inputs; two of them are optional.
PUBLISHED_FROM = [TAGS]
PUBLISHED = [
    topic(_SETTINGS.palate_tags_topic),
    Asset("tags_of_the_app", uri="redis://redis:6379/0/tags", group="redis"),
]
if _SETTINGS.palate_publish_orders_to:
    PUBLISHED_FROM += COUNTED
    PUBLISHED.append(topic(_SETTINGS.palate_publish_orders_to))
if _SETTINGS.palate_publish_counters_to:
    PUBLISHED_FROM += marts().values()
    PUBLISHED.append(topic(_SETTINGS.palate_publish_counters_to))
