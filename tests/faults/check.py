"""The one checker after every scenario: lost, doubled, wrong."""

from collections import Counter

import psycopg

from palate.marts import compare, kept_totals
from palate.marts.definitions import load_marts
from palate.names import DICTIONARY_FEED, REPLAY_FEED
from palate.settings import Settings
from palate.sql import count_rows
from palate.tags import stage as tags
from tests.faults.app import check_published
from tests.faults.verdict import Verdict
from tests.model.compare import _with_the_reason_named, actual, expected
from tests.model.dictionary import usable_entries
from tests.model.history import Entry, History
from tests.model.tables import REJECTED

_EVENTS = "stg.order_events"
_FEEDS = {DICTIONARY_FEED, REPLAY_FEED}


def check(
    conn: psycopg.Connection,
    settings: Settings,
    history: History,
    put: tuple[Entry, ...],
) -> Verdict:
    """Compare the warehouse with what went in; all stages must have settled.

    :param put: every entry that was put into Redis, in order
    """
    verdict = Verdict()
    _check_tables(conn, history, verdict)
    _check_entries(conn, put, verdict)
    _check_ledger(conn, history, verdict)
    for name in load_marts("food"):
        number, rows = compare.differences(settings, name)
        verdict.wrong += number
        verdict.notes += [f"{name} differs from the vault: {row}" for row in rows[:5]]
        number, rows = count_rows(conn, kept_totals.comparison(name))
        verdict.wrong += number
        verdict.notes += [f"totals of {name} differ from it: {row}" for row in rows[:5]]
    number, rows = tags.differences(settings)
    verdict.wrong += number
    verdict.notes += [f"the tags differ from the counters: {row}" for row in rows[:5]]
    check_published(conn, settings, verdict)
    return verdict


def _check_tables(conn: psycopg.Connection, history: History, verdict: Verdict) -> None:
    found, should = actual(conn), expected(history)
    for table, rows in should.items():
        is_there = found.get(table, [])
        wanted = _with_the_reason_named(rows, is_there) if table == REJECTED else rows
        missing = Counter(wanted) - Counter(is_there)
        unexpected = Counter(is_there) - Counter(wanted)
        if table == _EVENTS:
            staged = Counter(row[:4] for row in is_there)
            verdict.lost += sum(row[:4] not in staged for row in missing.elements())
            verdict.doubled += sum(number - 1 for number in staged.values())
            verdict.wrong += len({row[:4] for row in unexpected if row not in wanted})
        else:
            verdict.wrong += missing.total() + unexpected.total()
        verdict.notes += [
            f"{table}: {sign} {row!r:.300}"
            for sign, differing in (("-", missing), ("+", unexpected))
            for row in list(differing.elements())[:5]
        ]


def _check_entries(
    conn: psycopg.Connection, put: tuple[Entry, ...], verdict: Verdict
) -> None:
    """See that what Redis had last is staged, once, and nothing it never had."""
    rows = conn.execute(
        "SELECT id, entry::text FROM stg.dictionary_entries ORDER BY kafka_offset"
    ).fetchall()
    staged = Counter(
        (entry.id, entry.content)
        for id, text in rows
        for entry in usable_entries([Entry(id, text.encode())])
    )
    named = {
        id
        for (id,) in conn.execute(
            "SELECT user_id FROM dds.h_user UNION SELECT restaurant_id"
            " FROM dds.h_restaurant"
        )
    }
    ever = {(entry.id, entry.content) for entry in usable_entries(put)}
    last = {entry.id: entry for entry in put}
    wanted = {
        (entry.id, entry.content)
        for entry in usable_entries(last.values())
        if entry.id in named
    }
    lost = wanted - staged.keys()
    verdict.lost += len(lost)
    verdict.doubled += staged.total() - len(staged)
    verdict.wrong += len(staged.keys() - ever) + (len(rows) - staged.total())
    verdict.notes += [f"entry not staged: {item!r:.200}" for item in list(lost)[:5]]


def _check_ledger(conn: psycopg.Connection, history: History, verdict: Verdict) -> None:
    """See that each stage's batches follow one another up to its watermark."""
    marks = {
        (stage, tuple(log)): offset
        for stage, *log, offset in conn.execute(
            "SELECT stage, topic, epoch, kafka_partition, next_offset"
            " FROM ops.watermarks"
        )
    }
    # An epoch of one partition begins where its log was lost.
    begun = {
        tuple(log): offset
        for *log, offset in conn.execute(
            "SELECT topic, epoch, kafka_partition, first_offset FROM ops.logs"
        )
    }
    reached: dict[tuple[str, tuple[str, int, int]], int] = {}
    # A stage has one batch at a time, or one per log: they begin in their order.
    for stage, task, *log, start, end in conn.execute(
        "SELECT b.stage, s.task_id, r.topic, r.epoch, r.kafka_partition,"
        " r.from_offset, r.to_offset FROM ops.batch_ranges AS r"
        " INNER JOIN ops.batches AS b USING (batch_id)"
        " INNER JOIN ops.stage_runs AS s USING (stage_run_id)"
        # A rebuild begins at the beginning each time, and leaves no watermark.
        " WHERE NOT b.is_repeat AND b.stage NOT LIKE 'rebuild:%' ORDER BY b.batch_id"
    ):
        key = (stage, tuple(log))
        # A rebuild counts all that was counted before, and what is new.
        is_new = task.startswith("rebuild") or key not in reached
        at = begun.get(key[1], 0) if is_new else reached[key]
        if start < at:
            verdict.doubled += min(at, end) - start
            verdict.notes.append(f"{stage} took {log} {start}..{at - 1} twice")
        if start > at:
            verdict.wrong += 1
            verdict.notes.append(f"{stage} skipped {log} {at}..{start - 1}")
        reached[key] = max(reached.get(key, 0), end)
    for key in marks.keys() | reached.keys():
        if marks.get(key) != reached.get(key):
            verdict.wrong += 1
            verdict.notes.append(
                f"{key}: watermark {marks.get(key)}, batches up to {reached.get(key)}"
            )
    for message in history.messages:
        at = marks.get(("drain", message.position[:3]), 0)
        if message.offset >= at:
            verdict.wrong += 1
            verdict.notes.append(f"{message.position} is not below the watermark {at}")
    upstream = {
        log: at for (stage, log), at in marks.items() if stage in ("drain", *_FEEDS)
    }
    counting = [mart.stage for mart in load_marts("food").values()]
    for stage in ("vault", *counting, tags.STAGE):
        done = {log: at for (name, log), at in marks.items() if name == stage}
        if done != upstream:
            verdict.wrong += 1
            verdict.notes.append(f"{stage} stands at {done}, drain at {upstream}")
