"""Fill STG without a broker: COPY of generated messages, and the ledger with them."""

from collections.abc import Callable

from bench import orders
from bench.services import RAW_TOPIC, now
from palate.database import connect
from palate.landing.partitions import ensure_partitions
from palate.positions.ranges import FeedPartition, Range
from palate.positions.watermark import advance, watermarks
from palate.settings import Settings
from tests.food import FOOD


def staged(settings: Settings) -> int:
    """Return how many messages are staged: the number of the next one."""
    with connect(settings) as conn:
        return sum(watermarks(conn, FOOD.drain).values())


def stage(
    settings: Settings, count: int, message: Callable[[int], bytes] = orders.message
) -> None:
    """Put the next ``count`` messages into STG, in one transaction.

    :param message: returns the bytes of the message of a number
    """
    with connect(settings) as conn, conn.transaction():
        done = {log.partition: end for log, end in watermarks(conn, FOOD.drain).items()}
        start = sum(done.values())
        ranges = [
            Range(FeedPartition(RAW_TOPIC, 0, partition), done.get(partition, 0), end)
            for partition, end in orders.ends(start + count).items()
            if end > done.get(partition, 0)
        ]
        ensure_partitions(conn, settings, ranges)
        with (
            conn.cursor() as cursor,
            cursor.copy(
                "COPY stg.order_events (topic, epoch, kafka_partition, kafka_offset,"
                " broker_dt, message, staged_dt) FROM STDIN"
            ) as copy,
        ):
            staged_dt = now()
            for number in range(start, start + count):
                copy.write_row(
                    (
                        RAW_TOPIC,
                        0,
                        *orders.position(number),
                        orders.sent_at(number),
                        message(number),
                        staged_dt,
                    )
                )
        advance(conn, FOOD.drain, ranges, staged_dt)
