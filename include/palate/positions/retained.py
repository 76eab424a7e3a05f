"""What retention has dropped from STG, and so can't be read again.

The vault and the marts keep what they have of it. A stage that would need the bytes
again reports that they are gone, and leaves the rest as it is.
"""

from collections.abc import Iterable
from dataclasses import replace

from palate.database import Connection
from palate.positions.ranges import FeedPartition, Range
from palate.positions.watermark import reads_stg


def first_offsets(conn: Connection) -> dict[FeedPartition, int]:
    """Return the first offset that is kept, for each log of which some was dropped.

    Partitions are dropped from a log's beginning, so one offset is enough.
    """
    rows = conn.execute(
        "SELECT topic, epoch, kafka_partition, max(to_offset)"
        " FROM ops.event_partitions WHERE dropped_dt IS NOT NULL"
        " GROUP BY topic, epoch, kafka_partition"
    )
    return {
        FeedPartition(topic, epoch, part): offset for topic, epoch, part, offset in rows
    }


def split(
    conn: Connection, stage: str, ranges: Iterable[Range]
) -> tuple[list[Range], list[Range]]:
    """Return the ranges that a stage can still take, and those that are gone.

    Nothing is gone for a stage that takes its rows from the vault.
    """
    wanted = list(ranges)
    first = first_offsets(conn) if wanted and reads_stg(stage) else {}
    kept, gone = [], []
    for item in wanted:
        cut = min(max(first.get(item.log, 0), item.start), item.end)
        kept.append(replace(item, start=cut))
        gone.append(replace(item, end=cut))
    return [item for item in kept if len(item)], [item for item in gone if len(item)]


def describe(gone: Iterable[Range]) -> str:
    """Return the message about ranges that are gone."""
    offsets = ", ".join(str(item) for item in gone)
    return (
        f"Retention has dropped the messages of {offsets} from STG: what the vault "
        "and the marts have of them stays, and nothing of them is loaded again. See "
        "`palate storage show`."
    )
