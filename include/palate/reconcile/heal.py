"""Differences become messages of the source's own feed, which the vault takes."""

from collections.abc import Iterable
from typing import Any

from psycopg.types.json import Jsonb

from palate.engine import StageRun
from palate.landing import partitions
from palate.positions import FeedPartition, Range, watermarks
from palate.reconcile.compared import Compared, source_of
from palate.reconcile.looks import Look
from palate.settings import Settings
from palate.sources import Area, catalog
from palate.sql import execute

# More rows of a table gone at once, and a larger share, need an operator.
MOST_GONE, MOST_GONE_SHARE = 100, 0.1


def held_back(attempt: StageRun, tables: Iterable[Compared]) -> dict[str, int]:
    """Return how many rows are gone of each table that has lost too many at once."""
    found = {}
    rows = attempt.conn.execute(
        "SELECT table_name, count(*) FROM differences WHERE what = 'gone'"
        " GROUP BY table_name HAVING count(*) > %s",
        (MOST_GONE,),
    ).fetchall()
    gone: dict[str, int] = dict(rows)
    for one in tables:
        number = gone.get(one.name, 0)
        if number and number > MOST_GONE_SHARE * one.living(attempt.conn):
            found[one.name] = number
    return found


def stage(
    attempt: StageRun,
    settings: Settings,
    area: Area,
    tables: Iterable[Compared],
    last: Look,
    held: Iterable[str],
) -> None:
    """Stage a message for each difference; of tables held back, no row that is gone."""
    conn, feed = attempt.conn, attempt.stage
    log = FeedPartition(feed, 0, 0)
    topics = {form: topic for topic, form in catalog.topics(settings, area).items()}
    loaded = watermarks(conn, area.vault)
    for one in tables:
        what = ["missing", "differing"] + ["gone"] * (one.name not in held)
        (number,) = conn.execute(
            "SELECT count(*) FROM differences WHERE table_name = %s AND what = ANY(%s)",
            (one.name, what),
        ).fetchone() or (0,)
        if not number:
            continue
        topic = topics[one.name]
        with attempt.batch([]) as batch:
            start = watermarks(conn, feed).get(log, 0)
            ranges = [Range(log, start, start + number)]
            partitions.ensure_partitions(conn, settings, ranges)
            staged = execute(
                conn,
                one.render("staged"),
                {
                    "feed": feed,
                    "next_offset": start,
                    "load_dt": batch.load_dt,
                    "what": what,
                    "source": Jsonb(_source(area, one, topic, last)),
                    "until": Jsonb(_until(topic, loaded)),
                },
            )
            batch.counts["staged"] = staged.rowcount
            batch.ranges = ranges


def _source(area: Area, one: Compared, topic: str, last: Look) -> dict[str, Any]:
    table = one.table
    return {
        "connector": table.connector,
        "name": topic.removesuffix(f".{table.schema}.{table.name}"),
        "schema": table.schema,
        "table": table.name,
        "snapshot": source_of(area).feed,
        "lsn": last.lsn,
        "ts_us": int(last.read_dt.timestamp() * 1_000_000),
    }


def _until(topic: str, loaded: dict[FeedPartition, int]) -> dict[str, int]:
    """Return up to where a topic is loaded: in the first partition, newest epoch."""
    own = [item for item in loaded if item.topic == topic]
    if not own:
        return {"epoch": 0, "partition": 0, "offset": 0}
    item = min(own, key=lambda item: (-item.epoch, item.partition))
    return {
        "epoch": item.epoch,
        "partition": item.partition,
        "offset": loaded[item],
    }
