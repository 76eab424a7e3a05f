"""Bugs as people write them, put into a worker to prove that the harness sees them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from typing import Any
from uuid import uuid4

import jinja2

from palate import database, sql
from palate.clients import kafka_sender
from palate.clients.kafka_sender import COMPACTED, open_sender
from palate.engine import locks, stage
from palate.engine.outcome import Batch
from palate.engine.stage import StageRun
from palate.landing import drain
from palate.marts import refresh
from palate.outbox import tag_states
from palate.publish import redis_tags
from palate.publish import stage as publish
from palate.sql import Step
from palate.table_set import TableSet
from palate.tables import registry
from palate.tags import stage as tags
from palate.vault import load


def plant(bug: str) -> None:
    """Change the engine in this process for the worse."""
    BUGS[bug]()


def _offset_in_its_own_transaction() -> None:
    """Commit the rows, then the watermark: a death in between loads rows twice."""

    @contextmanager
    def batch(
        self: StageRun, ranges: list[Any], *, is_repeat: bool = False
    ) -> Iterator[Batch]:
        with self.conn.transaction():
            row = self.conn.execute("SELECT now()").fetchone()
            found = Batch(ranges, is_repeat, row[0] if row else None)  # type: ignore[arg-type]
            yield found
        if found.ranges:
            with self.conn.transaction():
                if not is_repeat:
                    stage.advance(self.conn, self.stage, found.ranges, found.load_dt)
                self._enter(found)
        self.outcome.add(found)

    StageRun.batch = batch  # type: ignore[method-assign]


def _no_lock() -> None:
    """Neither lock the stage nor compare the watermark before it is moved."""
    locks.take = lambda *_: ""
    _believed_lock()
    _watermark_that_is_not_compared()


def _believed_lock() -> None:
    """Believe that the stage's lock is still held."""

    def prove(conn: Any, *_: Any) -> Any:
        return (conn.execute("SELECT now()").fetchone() or (None,))[0]

    locks.prove = prove


def _pooler_is_not_proven() -> None:
    """Take whatever a pooler gives for a session."""

    def open_any(dsn: str, parts: Any) -> Any:
        connection = database._open(dsn, parts)
        database._set_up_pooled(connection, dsn, "")
        return connection

    database._proven = open_any


def _believed_lock_behind_a_pooler() -> None:
    """Believe in a pooler's session, and in its locks."""
    _pooler_is_not_proven()
    _believed_lock()
    _watermark_that_is_not_compared()


def _watermark_that_is_not_compared() -> None:
    """Move a watermark wherever it stands: the last guard that a lock has."""

    def advance(conn: Any, name: str, ranges: Any, moved_dt: Any) -> None:
        for item in ranges:
            conn.execute(
                "INSERT INTO ops.watermarks VALUES (%s, %s, %s, %s, %s, %s)"
                " ON CONFLICT (stage, topic, epoch, kafka_partition) DO UPDATE"
                " SET next_offset = excluded.next_offset",
                (
                    name,
                    item.log.topic,
                    item.log.epoch,
                    item.log.partition,
                    item.end,
                    moved_dt,
                ),
            )

    stage.advance = advance


def _arrival_order() -> None:
    """Let the version that was loaded last win, not the newest one."""
    rank = sql.SQL_FOLDER / "areas" / "food" / "dds" / "parts" / "rank.sql"
    text = rank.read_text(encoding="utf-8")
    changed = text.replace(
        '"version_dt",\n    "sent_dttm",\n    "broker_dt",', '"load_dt",'
    )
    original = sql._ENVIRONMENT.loader
    sql._ENVIRONMENT.loader = jinja2.ChoiceLoader(
        [jinja2.DictLoader({str(rank.relative_to(sql.SQL_FOLDER)): changed}), original]
    )
    sql._ENVIRONMENT.cache.clear()
    sql._template.cache_clear()
    # The mart's query says something else by that, and would be refused.
    registry.refuse_changed = lambda *_: None


def _insert_if_different_from_latest() -> None:
    """Skip a version of a satellite that equals the one with the latest time."""
    original = load.render_load

    @wraps(original)
    def render_load(
        vault: Any, item: Any, sources: Any = None, tables: TableSet = TableSet.LIVE
    ) -> str:
        text = original(vault, item, sources, tables)
        if item.table not in ("s_order_status", "s_order_cost", "s_user_names"):
            return text
        context = vault.context(item)
        hashdiff = context["hashdiff"]
        parent = "order_id" if "order_id" in context["primary_key"] else None
        parent = parent or context["primary_key"][0]
        changed = text.replace(
            "FROM unique_source_records AS s\n",
            "FROM (SELECT u.* FROM unique_source_records AS u"
            f" WHERE u.{hashdiff} IS DISTINCT FROM (SELECT t.{hashdiff}"
            f" FROM {tables.dds}.{item.table} AS t WHERE t.{parent} = u.{parent}"
            " ORDER BY t.version_dt DESC LIMIT 1)) AS s\n",
        )
        if changed == text:
            raise RuntimeError("The satellite's template changed: plant the bug anew.")
        return changed

    load.render_load = render_load  # type: ignore[assignment]
    load.load_statements.cache_clear()


def _counter_plus_one() -> None:
    """Add what an order counts now, and never take out what it had counted."""
    original = refresh.refresh_statements

    def refresh_statements(
        name: str, tables: TableSet = TableSet.LIVE
    ) -> tuple[Step, ...]:
        steps = original(name, tables)
        if not any(step.name == "old_contributions" for step in steps):
            raise RuntimeError("The refresh changed: plant the bug anew.")
        return tuple(
            replace(step, statement=f"{step.statement}\nWHERE FALSE")
            if step.name == "old_contributions"
            else step
            for step in steps
        )

    refresh.refresh_statements = refresh_statements  # type: ignore[assignment]


def _tags_that_nobody_loses() -> None:
    """Give tags, and never take one away."""
    original = tags._run

    def run(conn: Any, name: str, values: Any = None) -> Any:
        if name == "lost":
            return conn.execute("SELECT WHERE FALSE")
        return original(conn, name, values)

    tags._run = run


def _outbox_in_its_own_transaction() -> None:
    """Commit the tags, then what is to be published of them."""
    evaluate, enter = tags._evaluate_waiting, tag_states.enter_tags
    changed: list[tuple[Any]] = []

    def note_changed(conn: Any, batch: Batch) -> None:
        changed[:] = conn.execute("SELECT user_id FROM changed_guests").fetchall()

    def evaluate_waiting(attempt: StageRun, limit: int) -> bool:
        has_more = evaluate(attempt, limit)
        with attempt.batch([], has_ranges=False) as batch:
            conn = attempt.conn
            conn.execute("CREATE TEMP TABLE changed_guests (user_id uuid)")
            for row in changed:
                conn.execute("INSERT INTO changed_guests VALUES (%s)", row)
            enter(conn, batch)
            conn.execute("DROP TABLE changed_guests")
        changed.clear()
        return has_more

    tags._evaluate_waiting, tag_states.enter_tags = evaluate_waiting, note_changed


def _marked_before_sent() -> None:
    """Mark states as published, then send them."""

    def tags_to_kafka(settings: Any, caller: Any) -> Any:
        with stage.open_run(settings, publish.TAGS_TO_KAFKA, caller) as attempt:
            topic = settings.palate_tags_topic
            with open_sender(settings, topic, COMPACTED) as sender:
                while states := tag_states.waiting(attempt.conn, attempt.stage, 5_000):
                    with attempt.batch(
                        [tag_states.taken(attempt.conn, attempt.stage, states)]
                    ):
                        pass
                    sender.send((one.guest_id, one.as_message()) for one in states)
            return attempt.outcome

    publish._tags_to_kafka = tags_to_kafka


def _sleeper_is_not_shut_out() -> None:
    """Give each producer a transactional id of its own."""
    original = kafka_sender.Producer

    def producer(options: dict[str, Any], **others: Any) -> Any:
        return original(options | {"transactional.id": f"{uuid4()}"}, **others)

    kafka_sender.Producer = producer  # type: ignore[assignment,misc]


def _redis_without_version() -> None:
    """Write whatever comes to Redis, also an older state."""
    compared = "if known and known > tonumber(ARGV[1]) then"
    if compared not in redis_tags._SET_TAGS:
        raise RuntimeError("The script changed: plant the bug anew.")
    redis_tags._SET_TAGS = redis_tags._SET_TAGS.replace(compared, "if false then")


def _tail_is_not_proven() -> None:
    """Go by offsets alone: what stands at the watermark is what comes next."""
    if not hasattr(drain._Drain, "_heads"):
        raise RuntimeError("The drain changed: plant the bug anew.")
    drain._Drain._heads = lambda *_: {}  # type: ignore[method-assign]


BUGS: dict[str, Callable[[], None]] = {
    "offset in its own transaction": _offset_in_its_own_transaction,
    "no lock": _no_lock,
    "a lock is believed, not proven": _believed_lock,
    "a lock is believed behind PgBouncer": _believed_lock_behind_a_pooler,
    # No bug by itself: the proof of the lock is what is left.
    "no look at the pooler": _pooler_is_not_proven,
    "arrival order instead of version time": _arrival_order,
    "insert if different from latest": _insert_if_different_from_latest,
    "counter += 1 without taking out": _counter_plus_one,
    "a tag, once given, is never taken away": _tags_that_nobody_loses,
    "outbox in its own transaction": _outbox_in_its_own_transaction,
    "marked as published, then sent": _marked_before_sent,
    "Kafka: a publisher that slept is not shut out": _sleeper_is_not_shut_out,
    "Redis: written without comparing the version": _redis_without_version,
    "the tail of a log is not proven": _tail_is_not_proven,
}
