"""What a warehouse holds that an upgrade must not change, and its ledger."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import psycopg
from kafka import KafkaConsumer, TopicPartition

from deploy.local.kafka import TOPICS

Dwh = psycopg.Connection[Any]
Row = tuple[Any, ...]
# Of one stage, in one partition of a topic.
Key = tuple[str, str, int, int]
Span = tuple[int, int]

_DEFINITIONS = """
SELECT kind, name, definition::text, created_dt, filled_dt FROM ops.definitions
"""
_SCHEMAS = "('ops', 'stg', 'dds', 'cdm')"
# Partitions of STG are made as messages come, by whoever loads them.
_COLUMNS = f"""
SELECT
    CASE WHEN c.relkind IN ('r', 'p') THEN 'table' ELSE 'view' END,
    a.attrelid::regclass::text,
    a.attname,
    format_type(a.atttypid, a.atttypmod),
    a.attnotnull,
    pg_get_expr(d.adbin, d.adrelid)
FROM pg_attribute AS a
INNER JOIN pg_class AS c ON a.attrelid = c.oid
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE
    c.relnamespace::regnamespace::text IN {_SCHEMAS}
    AND c.relkind IN ('r', 'p', 'v', 'm')
    AND NOT c.relispartition
    AND a.attnum > 0
    AND NOT a.attisdropped
"""
_INDEXES = f"""
SELECT pg_get_indexdef(i.indexrelid)
FROM pg_index AS i
INNER JOIN pg_class AS c ON i.indrelid = c.oid
WHERE c.relnamespace::regnamespace::text IN {_SCHEMAS} AND NOT c.relispartition
"""
_CONSTRAINTS = f"""
SELECT o.conrelid::regclass::text, pg_get_constraintdef(o.oid)
FROM pg_constraint AS o
INNER JOIN pg_class AS c ON o.conrelid = c.oid
WHERE c.relnamespace::regnamespace::text IN {_SCHEMAS} AND NOT c.relispartition
"""
_KILLED = "SELECT stage FROM ops.stage_runs WHERE outcome = 'running'"
_WATERMARKS = """
SELECT stage, topic, epoch, kafka_partition, next_offset FROM ops.watermarks
"""
_RANGES = """
SELECT b.stage, r.topic, r.epoch, r.kafka_partition, r.from_offset, r.to_offset
FROM ops.batch_ranges AS r
INNER JOIN ops.batches AS b USING (batch_id)
INNER JOIN ops.stage_runs AS s USING (stage_run_id)
"""


@dataclass(frozen=True)
class Snapshot:
    """The state of a warehouse between two versions."""

    definitions: set[Row]
    """each row of ``ops.definitions``"""
    columns: set[Row]
    """of tables and views"""
    tables: set[Row]
    """what else tables consist of: indexes and constraints, beside their columns"""
    migration: str
    """the last one that was run"""
    watermarks: dict[Key, int]
    killed: set[str]
    """stages that an attempt was at and did not end"""

    @classmethod
    def take(cls, dwh: Dwh) -> "Snapshot":
        """Read it."""
        columns = set(dwh.execute(_COLUMNS))
        tables = {row for row in columns if row[0] == "table"}
        return cls(
            definitions=set(dwh.execute(_DEFINITIONS)),
            columns=columns,
            tables=tables.union(dwh.execute(_INDEXES), dwh.execute(_CONSTRAINTS)),
            migration=_value(dwh, "SELECT version_num FROM ops.migrations"),
            watermarks=watermarks(dwh),
            killed={stage for (stage,) in dwh.execute(_KILLED)},
        )


def watermarks(dwh: Dwh) -> dict[Key, int]:
    """Return how far each stage is in each partition."""
    return {(s, t, e, p): offset for s, t, e, p, offset in dwh.execute(_WATERMARKS)}


def last_batch(dwh: Dwh) -> int:
    """Return the last batch of the ledger."""
    found: int = _value(dwh, "SELECT max(batch_id) FROM ops.batches")
    return found


def taken(dwh: Dwh) -> dict[Key, list[Span]]:
    """Return what was taken for the first time, in order of the offsets."""
    return _by_key(dwh.execute(f"{_RANGES} WHERE NOT b.is_repeat").fetchall())


def taken_by(dwh: Dwh, run_id: str, *, since: int = 0) -> dict[Key, list[Span]]:
    """Return what a run of Airflow took, joined where it is adjacent.

    :param since: only by batches after this one
    """
    query = f"{_RANGES} WHERE s.run_id = %s AND b.batch_id > %s"
    found = _by_key(dwh.execute(query, (run_id, since)).fetchall())
    return {key: _joined(spans) for key, spans in found.items()}


def runs_that_took(dwh: Dwh, stage: str, *, since: int) -> set[str]:
    """Return Airflow's runs by which a stage has had batches after this one."""
    query = (
        "SELECT s.run_id FROM ops.batches AS b"
        " INNER JOIN ops.stage_runs AS s USING (stage_run_id)"
        " WHERE b.stage = %s AND b.batch_id > %s"
    )
    return {run_id for (run_id,) in dwh.execute(query, (stage, since))}


def ends_in_kafka(bootstrap: str) -> dict[tuple[str, int], int]:
    """Return where each partition of the topics of orders ends on the broker."""
    logs = [
        TopicPartition(topic, number)
        for topic, partitions in TOPICS.items()
        for number in range(partitions)
    ]
    consumer = KafkaConsumer(bootstrap_servers=bootstrap)
    try:
        found = consumer.end_offsets(logs)
    finally:
        consumer.close()
    return {(log.topic, log.partition): end for log, end in found.items() if end}


def staged(dwh: Dwh) -> dict[tuple[str, int], tuple[int, int]]:
    """Return for each partition how many rows STG has, and how many offsets."""
    query = (
        "SELECT topic, kafka_partition, count(*), count(DISTINCT kafka_offset)"
        " FROM stg.order_events GROUP BY topic, kafka_partition"
    )
    return {(topic, number): (a, b) for topic, number, a, b in dwh.execute(query)}


def _value(dwh: Dwh, query: str) -> Any:
    row = dwh.execute(query).fetchone()
    assert row, query
    return row[0]


def _by_key(rows: list[Row]) -> dict[Key, list[Span]]:
    found: dict[Key, list[Span]] = defaultdict(list)
    for stage, topic, epoch, partition, start, end in rows:
        found[stage, topic, epoch, partition].append((start, end))
    return {key: sorted(spans) for key, spans in found.items()}


def _joined(spans: list[Span]) -> list[Span]:
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
