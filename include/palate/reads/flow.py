"""What waits at each step from Kafka to what is published, area by area."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from palate import readable
from palate.counted import counted
from palate.database import Connection
from palate.monitoring import Freshness
from palate.pipelines import pipeline
from palate.positions import FeedPartition
from palate.reads import verdict
from palate.reads.status import LogStatus, Status
from palate.reads.trends import LogTrend, trends
from palate.reads.verdict import State
from palate.settings import Settings
from palate.sources import Area, catalog

# By a stage's name in area.yaml: the step's name, and what waits for it.
_STEPS = {
    "drain": ("STG", "to read"),
    "vault": ("Vault", "to load"),
    "dictionaries": ("Dictionaries", ""),
    "marts": ("Marts", "to count"),
    "copies": ("Copies", ""),
    "tags": ("Tags", ""),
    "publish": ("Publish", ""),
}
_MART = "mart:"


@dataclass(frozen=True)
class Wait:
    """What waits for something; where ``is_more`` is true, there may be more."""

    number: int
    text: str
    is_more: bool = False


@dataclass(frozen=True)
class Step:
    """A step of an area, with its stages by their names in the ledger."""

    name: str
    stages: tuple[str, ...]
    waits: tuple[Wait, ...]


@dataclass(frozen=True)
class Log:
    """One partition of a topic or feed, and where its messages wait, by stage.

    Of a feed, and of a log that the watch has not seen within a day, there is no trend.
    """

    log: LogStatus
    state: State
    waits: dict[str, Wait]
    trend: LogTrend | None


@dataclass(frozen=True)
class Topic:
    """A topic of Kafka, or a feed that Palate numbers itself."""

    topic: str
    is_feed: bool
    lag: int
    logs: tuple[Log, ...]


@dataclass(frozen=True)
class AreaFlow:
    """One area, from its topics to what it publishes."""

    area: str
    dag: str
    promise: Freshness
    steps: tuple[Step, ...]
    topics: tuple[Topic, ...]


def flow(conn: Connection, settings: Settings, found: Status) -> tuple[AreaFlow, ...]:
    """Return the flow of each area that is on."""
    going = {
        FeedPartition(one.topic, one.epoch, one.partition): one
        for one in trends(conn, settings)
    }
    return tuple(
        _area(conn, settings, area, promise, found, going)
        for area, promise in zip(readable.areas(settings), found.promises, strict=True)
    )


def _area(
    conn: Connection,
    settings: Settings,
    area: Area,
    promise: Freshness,
    found: Status,
    going: dict[FeedPartition, LogTrend],
) -> AreaFlow:
    begins = _begins(conn, area)
    read = catalog.topics(settings, area)
    new = {item.name for item in found.filling}
    logs = [
        Log(
            log=log,
            state=verdict.of_log(log, found, log.topic not in read),
            waits=dict(_waits(area, log, begins, new, _is_unseen(log, read, found))),
            trend=going.get(FeedPartition(log.topic, log.epoch, log.partition)),
        )
        for log in found.logs
        if log.area == area.name
    ]
    return AreaFlow(
        area=area.name,
        dag=area.dag,
        promise=promise,
        steps=tuple(_steps(settings, area, logs, found)),
        topics=tuple(_topics(area, list(read), logs)),
    )


def _is_unseen(log: LogStatus, read: Iterable[str], found: Status) -> bool:
    return log.topic in read and not verdict.is_seen(log, found)


def _begins(conn: Connection, area: Area) -> dict[FeedPartition, int]:
    """Return where each log of an area begins in the ledger."""
    rows = conn.execute(
        "SELECT topic, epoch, kafka_partition, min(first_offset) FROM ops.watermarks"
        " WHERE stage = ANY(%s) GROUP BY topic, epoch, kafka_partition",
        (list(area.upstream),),
    )
    return {FeedPartition(*log): offset for *log, offset in rows.fetchall()}


def _waits(
    area: Area,
    log: LogStatus,
    begins: dict[FeedPartition, int],
    new: set[str],
    is_more: bool,
) -> Iterator[tuple[str, Wait]]:
    """Yield what of a log waits for drain, vault, and marts that have the history."""
    key = FeedPartition(log.topic, log.epoch, log.partition)
    begin = begins.get(key, log.staged)
    loaded = max(log.loaded, begin)
    unread = max((log.end_offset or 0) - log.staged, 0)
    yield area.drain, _wait(unread, _STEPS["drain"][1], is_more)
    yield area.vault, _wait(log.staged - loaded, _STEPS["vault"][1])
    for name, offset in log.marts.items():
        uncounted = 0 if name in new else loaded - max(offset, begin)
        yield _MART + name, _wait(uncounted, f"{_STEPS['marts'][1]} in {name}")


def _wait(number: int, text: str, is_more: bool = False) -> Wait:
    least = "at least " if is_more else ""
    return Wait(number, f"{least}{number:,} {text}", is_more)


def _steps(
    settings: Settings, area: Area, logs: list[Log], found: Status
) -> Iterator[Step]:
    queues = _queues(found)
    for name, layer in zip(area.stages, pipeline(area).layers, strict=True):
        if name == "copies" and not any(stage.is_on(settings) for stage in layer):
            continue
        label, text = _STEPS.get(name, (name, ""))
        stages = tuple(stage.name for stage in layer)
        is_more = name == "drain" and verdict.silence(found) is not None
        waits = queues.get(name) or tuple(
            _sum(stage, text if len(stages) == 1 else _in(stage, text), logs, is_more)
            for stage in stages
        )
        yield Step(label, stages, waits)


def _in(stage: str, text: str) -> str:
    return f"{text} in {stage.removeprefix(_MART)}"


def _sum(stage: str, text: str, logs: list[Log], is_more: bool) -> Wait:
    return _wait(sum(log.waits[stage].number for log in logs), text, is_more)


def _queues(found: Status) -> dict[str, tuple[Wait, ...]]:
    """Return what waits for the stages that take no positions, by their names."""

    def wait(name: str, number: int, one: str, many: str) -> Wait:
        more = "more than " if name in found.cut else ""
        return Wait(number, f"{more}{counted(number, one, many)}", bool(more))

    waiting = found.unpublished
    return {
        "dictionaries": (
            wait("ids", found.waiting_ids, "id to look up", "ids to look up"),
        ),
        "copies": (wait("changes", found.uncopied, "changed row", "changed rows"),),
        "tags": (
            wait(
                *("evaluations", found.waiting_tags),
                *("tag of a guest to evaluate", "tags of guests to evaluate"),
            ),
        ),
        "publish": (
            wait("tags", waiting["tags"], "guest's tags", "guests' tags"),
            wait("orders", waiting["orders"], "order", "orders"),
            wait(
                "counters", waiting["counters"], "guest's counters", "guests' counters"
            ),
        ),
    }


def _topics(area: Area, read: list[str], logs: list[Log]) -> Iterator[Topic]:
    by_topic = {
        topic: tuple(some) for topic, some in groupby(logs, lambda one: one.log.topic)
    }
    # A topic without logs was not seen yet; a feed without logs is not used.
    names = [*read, *(topic for topic in by_topic if topic not in read)]
    for topic in names:
        own = by_topic.get(topic, ())
        lag = sum(one.log.lag for one in own)
        yield Topic(topic, topic in area.feeds, lag, own)
