"""Positions that are staged already, read from the broker once more.

What STG lost is put back at its position; what is there must be what the broker has.
"""

import logging

from palate.kafka import Reader
from palate.positions import Log, Range
from palate.reading import COLUMNS, Reading, copy_records
from palate.settings import Settings
from palate.stage import Batch, StageRun

log = logging.getLogger(__name__)

_POSITION = "topic, epoch, kafka_partition, kafka_offset"
_DIFFER = (
    "(r.message, r.kafka_key, r.headers, r.broker_dt)"
    " IS DISTINCT FROM (s.message, s.kafka_key, s.headers, s.broker_dt)"
)


def repeat(
    attempt: StageRun,
    reader: Reader,
    settings: Settings,
    states: dict[Log, tuple[int, int]],
    ranges: list[Range],
) -> None:
    """Read ranges again: put back what STG lost, and compare the rest byte by byte.

    What the broker no longer has is left out. Bytes that differ are never overwritten:
    each is an error line, and counted.

    :param states: the first offset that the broker keeps of each log, and its end
    """
    kept = [
        Range(item.log, max(item.start, states[item.log][0]), item.end)
        for item in ranges
        if item.log in states and states[item.log][0] < item.end
    ]
    reading = Reading(
        reader, {r.log: r.start for r in kept}, {r.log: r.end for r in kept}
    )
    while not reading.is_done:
        with attempt.batch([], is_repeat=True) as batch:
            attempt.conn.execute(
                "CREATE TEMP TABLE repeated_events (LIKE stg.order_events)"
                " ON COMMIT DROP"
            )
            batch.counts["compared"] = copy_records(
                attempt.conn,
                "repeated_events",
                batch.load_dt,
                reading.take(settings.palate_drain_messages, settings, None),
            )
            batch.ranges = reading.taken()
            _compare(attempt, batch)


def _compare(attempt: StageRun, batch: Batch) -> None:
    conn = attempt.conn
    conn.execute("ANALYZE repeated_events")
    # Two repeats may put back the same message at once.
    batch.counts["healed"] = conn.execute(
        f"INSERT INTO stg.order_events ({COLUMNS})"
        f" SELECT {COLUMNS} FROM repeated_events AS r"
        " WHERE NOT EXISTS (SELECT FROM stg.order_events AS s"
        " WHERE (s.topic, s.epoch, s.kafka_partition, s.kafka_offset)"
        " = (r.topic, r.epoch, r.kafka_partition, r.kafka_offset))"
        f" ON CONFLICT ({_POSITION}) DO NOTHING"
    ).rowcount
    differing = conn.execute(
        "SELECT r.topic, r.epoch, r.kafka_partition, r.kafka_offset"
        " FROM repeated_events AS r INNER JOIN stg.order_events AS s"
        f" USING ({_POSITION}) WHERE {_DIFFER} ORDER BY {_POSITION}"
    ).fetchall()
    batch.counts["differing"] = len(differing)
    for topic, epoch, partition, offset in differing[:20]:
        log.error(
            "%s offset %s: the broker's bytes differ from those in STG; STG keeps what "
            "it staged first.",
            Log(topic, epoch, partition),
            offset,
        )
