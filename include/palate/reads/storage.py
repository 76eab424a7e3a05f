"""What STG and the ledger keep, and what retention has dropped."""

from dataclasses import asdict, dataclass
from typing import Any

from palate.database import Connection, connect
from palate.landing import retention
from palate.positions import FeedPartition, Range
from palate.settings import Settings


@dataclass(frozen=True)
class TrueFrom:
    """A table of the vault that was filled when some of the history was gone."""

    table: str
    log: FeedPartition
    offset: int


@dataclass(frozen=True)
class Storage:
    """What is kept, what was dropped, and the size of the ledger's tables in bytes."""

    partitions: list[retention.StagingPartition]
    dropped: list[retention.StagingPartition]
    true_from: list[TrueFrom]
    tables: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; times are ISO 8601 in UTC."""
        return {
            "partitions": [item.as_dict() for item in self.partitions],
            "dropped": [item.as_dict() for item in self.dropped],
            "true_from": [
                asdict(item.log) | {"table": item.table, "offset": item.offset}
                for item in self.true_from
            ],
            "tables": self.tables,
            "problems": self.problems,
        }

    @property
    def problems(self) -> list[str]:
        """Return what an operator should know."""
        number = len(self.partitions)
        if number <= retention.MANY_PARTITIONS:
            return []
        return [
            f"STG has {number} partitions; from {retention.MANY_PARTITIONS} on each "
            "batch pays for them. Set PALATE_STG_PARTITION_POSITIONS higher for those "
            "to come, or PALATE_STG_KEEP_DAYS."
        ]


def show(settings: Settings) -> Storage:
    """Return the partitions of STG, what was dropped, and the size of the ledger."""
    with connect(settings) as conn:
        tables = conn.execute(
            "SELECT 'ops.' || relname, pg_total_relation_size(oid) FROM pg_class"
            " WHERE relnamespace = 'ops'::regnamespace AND relkind = 'r'"
            " ORDER BY relname"
        ).fetchall()
        return Storage(
            partitions=retention.kept_partitions(conn, settings),
            dropped=_dropped(conn),
            true_from=_true_from(conn),
            tables=dict(tables),
        )


def _dropped(conn: Connection) -> list[retention.StagingPartition]:
    rows = conn.execute(
        "SELECT event_partition_id, topic, epoch, kafka_partition, from_offset,"
        " to_offset, dropped_bytes, dropped_dt, dropped_by, last_broker_dt"
        " FROM ops.event_partitions WHERE dropped_dt IS NOT NULL"
        " ORDER BY topic, epoch, kafka_partition, from_offset"
    ).fetchall()
    return [
        retention.StagingPartition(
            id,
            Range(FeedPartition(topic, epoch, number), start, end),
            size,
            None,
            dropped_dt,
            dropped_by,
            last_broker_dt,
        )
        for (
            id, topic, epoch, number, start, end,
            size, dropped_dt, dropped_by, last_broker_dt,
        ) in rows
    ]  # fmt: skip


def _true_from(conn: Connection) -> list[TrueFrom]:
    """Return the tables of the vault that begin later in a log than the vault did."""
    rows = conn.execute(
        "SELECT substr(f.stage, 7), f.topic, f.epoch, f.kafka_partition,"
        " f.first_offset FROM ops.watermarks AS f INNER JOIN ops.watermarks AS v"
        " ON v.stage IN (SELECT s.stage FROM ops.stages AS s WHERE s.reads_staging)"
        " AND (v.topic, v.epoch, v.kafka_partition)"
        " = (f.topic, f.epoch, f.kafka_partition)"
        " WHERE f.stage LIKE 'vault:%' AND f.first_offset > v.first_offset"
        " ORDER BY f.stage, f.topic, f.epoch, f.kafka_partition"
    ).fetchall()
    return [
        TrueFrom(table, FeedPartition(topic, epoch, partition), offset)
        for table, topic, epoch, partition, offset in rows
    ]
