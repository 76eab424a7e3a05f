"""The publish stage: sends changes to Kafka and Redis (ADR 0014).

Each outlet is a stage of its own, with its lock, its watermark and its ledger: one that
is down doesn't delay the others. A batch is entered once the broker, or Redis, has
acknowledged it; after a kill in between, the next run sends it again, with the same
versions.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from palate.clients import kafka_sender, redis_connection
from palate.engine import Caller, Outcome, open_run
from palate.errors import PalateError, StageBusyError
from palate.outbox import counters, tag_states
from palate.positions import open_ranges, row_chunks
from palate.publish import messages, redis_tags
from palate.settings import Settings
from palate.sources import catalog
from palate.tables import initial_load

STAGE = "publish"
TAGS_TO_KAFKA = f"{STAGE}:tags:kafka"
TAGS_TO_REDIS = f"{STAGE}:tags:redis"
ORDERS = f"{STAGE}:orders"
COUNTERS = f"{STAGE}:counters"
# Sends states to an outlet; returns how many.
Write = Callable[[list[tag_states.State]], int]
_TAG_STAGES = (TAGS_TO_KAFKA, TAGS_TO_REDIS)

_REDIS = (
    "the tags of the app",
    "Marts and tags are kept up to date; what waits is published once it is mended.",
)

# At most this many messages are sent again after a kill.
_STATES = 5_000
_POSITIONS = 10_000
_GUESTS = 5_000


def run(settings: Settings, caller: Caller) -> Outcome:
    """Publish what waits; an outlet that fails does not stop the others.

    A repeated task publishes what waits by then, which is only what was not
    acknowledged before.

    :raises PalateError: the failure of an outlet, once the others are done
    """
    outcome = Outcome(STAGE)
    failures: list[PalateError] = []
    for outlet in _outlets(settings):
        try:
            _merge(outcome, outlet(settings, caller))
        except PalateError as error:
            failures.append(error)
    # An outlet that another run is publishing to is no failure beside a real one.
    failures = [f for f in failures if not isinstance(f, StageBusyError)] or failures
    if failures:
        # Retry the task if a retry may help one of them.
        failures.sort(key=lambda error: not error.is_worth_retrying)
        raise type(failures[0])(" ".join(str(error) for error in failures))
    return outcome


def again(settings: Settings, caller: Caller) -> None:
    """Publish the tags of every guest anew, and the counters if switched on.

    For outlets that have lost their data, and for a new topic.
    """
    with (
        open_run(settings, f"{STAGE}:again", caller) as attempt,
        attempt.batch([], has_ranges=False) as batch,
    ):
        tag_states.enter_all(attempt.conn, batch)
        if settings.palate_publish_counters_to:
            for mart in counters.PUBLISHED_MARTS:
                counters.enter_all_counters(attempt.conn, mart)


def _outlets(settings: Settings) -> Iterator[Callable[[Settings, Caller], Outcome]]:
    yield _tags_to_kafka
    yield _tags_to_redis
    if settings.palate_publish_orders_to:
        yield _orders
    if settings.palate_publish_counters_to:
        yield _counters


def _merge(outcome: Outcome, part: Outcome) -> None:
    outcome.batches += part.batches
    outcome.counts.update(part.counts)
    for item in part.as_ranges():
        outcome.ranges[item.log] = (item.start, item.end)


def _tags_to_kafka(settings: Settings, caller: Caller) -> Outcome:
    @contextmanager
    def opened() -> Iterator[Write]:
        with kafka_sender.open_sender(
            settings, settings.palate_tags_topic, kafka_sender.COMPACTED
        ) as sender:
            yield lambda states: sender.send(
                (one.guest_id, one.as_message()) for one in states
            )

    return _tags(settings, caller, TAGS_TO_KAFKA, "tags_sent", opened)


def _tags_to_redis(settings: Settings, caller: Caller) -> Outcome:
    @contextmanager
    def opened() -> Iterator[Write]:
        with redis_connection.open_redis(settings, *_REDIS) as client:
            redis_tags.warn_of_eviction(client)
            yield lambda states: redis_tags.write(client, states)

    return _tags(settings, caller, TAGS_TO_REDIS, "tags_written", opened)


def _tags(
    settings: Settings,
    caller: Caller,
    stage: str,
    counted: str,
    opened: Callable[[], AbstractContextManager[Write]],
) -> Outcome:
    """Publish the states that wait for one outlet, in the order of their versions."""
    with open_run(settings, stage, caller) as attempt:
        if not tag_states.waiting(attempt.conn, stage, 1):
            return attempt.outcome
        with opened() as write:
            while states := tag_states.waiting(attempt.conn, stage, _STATES):
                # Outside the transaction: none stays open while the outlet answers.
                number = write(states)
                taken = tag_states.taken(attempt.conn, stage, states)
                with attempt.batch([taken]) as batch:
                    batch.counts[counted] = number
        tag_states.forget(attempt.conn, _TAG_STAGES)
        return attempt.outcome


def _orders(settings: Settings, caller: Caller) -> Outcome:
    area = catalog.area_with(settings, STAGE)
    with open_run(settings, ORDERS, caller) as attempt:
        conn = attempt.conn
        if not open_ranges(conn, ORDERS, [area.vault]):
            return attempt.outcome
        with kafka_sender.open_sender(
            settings, settings.palate_publish_orders_to, {}
        ) as sender:
            while ranges := row_chunks.first(
                conn,
                open_ranges(conn, ORDERS, [area.vault]),
                _POSITIONS,
                area.rows_table,
            ):
                with attempt.batch(ranges) as batch:
                    sent = sender.send(messages.orders(conn, settings, batch))
                    batch.counts["orders_sent"] = sent
        return attempt.outcome


def _counters(settings: Settings, caller: Caller) -> Outcome:
    with open_run(settings, COUNTERS, caller) as attempt:
        conn = attempt.conn
        # A guest's state would be incomplete while a mart is being filled.
        if not counters.has_counters(conn) or initial_load.pending_of(
            conn, counters.PUBLISHED_MARTS
        ):
            return attempt.outcome
        topic = settings.palate_publish_counters_to
        with kafka_sender.open_sender(
            settings, topic, kafka_sender.COMPACTED
        ) as sender:
            while counters.has_counters(conn):
                with attempt.batch([], has_ranges=False) as batch:
                    sent = sender.send(messages.counters(conn, batch, _GUESTS))
                    batch.counts["counters_sent"] = sent
        return attempt.outcome
