"""Partitions of STG, made before the messages that belong there come (ADR 0011)."""

import logging
from collections.abc import Iterable

import psycopg

from palate.database import Connection
from palate.errors import SettingsError
from palate.positions import Range
from palate.settings import Settings

log = logging.getLogger(__name__)


def make_room(conn: Connection, settings: Settings, ranges: Iterable[Range]) -> None:
    """Make the partitions of ``stg.order_events`` that the ranges need and that miss.

    A loader may not make tables: a function does it that checks what it is asked for.
    What retention has dropped gets no room again.

    :raises SettingsError: if that would be more than a thousand for one range
    """
    made = sum(_make(conn, settings, item) for item in ranges)
    if made:
        log.info("Made %s partitions of stg.order_events.", made)


def _make(conn: Connection, settings: Settings, item: Range) -> int:
    size = settings.palate_stg_partition_positions
    try:
        row = conn.execute(
            "SELECT stg.make_room(%s, %s, %s, %s, %s, %s)",
            (
                item.log.topic,
                item.log.epoch,
                item.log.partition,
                item.start,
                item.end,
                size,
            ),
        ).fetchone()
    except psycopg.errors.ProgramLimitExceeded:
        message = (
            f"{item} would need more than 1000 new partitions of stg.order_events with "
            f"{size} positions each. Set PALATE_STG_PARTITION_POSITIONS higher."
        )
        raise SettingsError(message) from None
    return row[0] if row else 0
