"""Partitions of STG, made before the messages that belong there come (ADR 0011)."""

import logging
from collections.abc import Iterable

from palate.database import Connection
from palate.positions import Range
from palate.settings import Settings

log = logging.getLogger(__name__)


def make_room(conn: Connection, settings: Settings, ranges: Iterable[Range]) -> None:
    """Make the partitions of ``stg.order_events`` that the ranges need and that miss.

    A loader may not make tables: a function does it that checks what it is asked for.
    What retention has dropped gets no room again.
    """
    made = 0
    for item in ranges:
        row = conn.execute(
            "SELECT stg.make_room(%s, %s, %s, %s, %s, %s)",
            (
                item.log.topic,
                item.log.epoch,
                item.log.partition,
                item.start,
                item.end,
                settings.palate_stg_partition_positions,
            ),
        ).fetchone()
        made += row[0] if row else 0
    if made:
        log.info("Made %s partitions of stg.order_events.", made)
