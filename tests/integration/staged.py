"""Put messages and entries into STG by SQL, as drain and dictionaries would.

For tests of the stages behind them: no broker and no Redis is asked.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple
from datetime import UTC, datetime

from psycopg import Connection

from palate.engine.outcome import Caller, Outcome
from palate.engine.stage import open_run
from palate.landing import dictionaries
from palate.landing.partitions import ensure_partitions
from palate.marts import stage as marts
from palate.marts.definitions import load_marts
from palate.positions.ranges import FeedPartition, Range
from palate.positions.watermark import advance, watermarks
from palate.settings import Settings
from palate.tags import stage as tags
from palate.vault import stage as vault
from tests.food import FOOD
from tests.model.history import FORMS, Entry, Form, Message, Rule

_TYPES = (
    "text", "int4", "int4", "int8", "timestamptz", "bytea", "bytea", "timestamptz",
)  # fmt: skip

_ANY = Settings(dwh_dsn="")
STAGED_DT = datetime(2023, 8, 10, tzinfo=UTC)


def with_topics(settings: Settings, forms: Mapping[str, str] = FORMS) -> Settings:
    """Return the settings with other topics, by default the contract's own."""
    topics = {topic: Form(form) for topic, form in forms.items()}
    return settings.model_copy(update={"palate_topics": topics})


def caller(task_id: str, run_id: str = "test") -> Caller:
    """Return a caller; the same one again repeats what it did."""
    return Caller(dag_id="test", run_id=run_id, task_id=task_id)


def stage_messages(
    conn: Connection,
    messages: Iterable[Message],
    staged_dt: datetime = STAGED_DT,
    settings: Settings | None = None,
) -> None:
    """Write messages and the drain's watermarks in one transaction.

    The messages of each log must go on where its watermark stands.

    :param settings: where the size of a partition matters
    """
    rows = sorted(messages, key=lambda message: message.position)
    if not rows:
        return
    ends: dict[FeedPartition, int] = {}
    for message in rows:
        log = FeedPartition(message.topic, message.epoch, message.partition)
        ends[log] = message.offset + 1
    done = watermarks(conn, FOOD.drain)
    ranges = [Range(log, done.get(log, 0), end) for log, end in ends.items()]
    with conn.transaction():
        ensure_partitions(conn, settings or _ANY, ranges)
        with (
            conn.cursor() as cursor,
            cursor.copy(
                "COPY stg.order_events (topic, epoch, kafka_partition, kafka_offset,"
                " broker_dt, message, headers, staged_dt) FROM STDIN (FORMAT BINARY)"
            ) as copy,
        ):
            copy.set_types(_TYPES)
            for message in rows:
                copy.write_row(
                    (
                        *message.position,
                        message.broker_dt,
                        message.value,
                        _headers(message),
                        staged_dt,
                    )
                )
        advance(conn, FOOD.drain, ranges, staged_dt)


def stage_entries(settings: Settings, entries: Iterable[Entry]) -> None:
    """Let the real stage judge and stage what Redis would have answered, in order."""
    with open_run(settings, dictionaries.STAGE, caller("entries")) as attempt:
        for asked in _asked_at_once(entries):
            with attempt.batch([]) as batch:
                ids, values = list(asked), list(asked.values())
                dictionaries._stage(attempt.conn, batch, ids, values)


def set_rules(conn: Connection, rules: Iterable[Rule]) -> None:
    """Let these be the tag rules; one that is among them already stays as it is.

    As a person would by SQL: the stage has to find out what has changed.
    """
    wanted = list(rules)
    with conn.transaction():
        there = conn.execute(
            "SELECT rule_id, kind, name, threshold, tag, active FROM cdm.tag_rules"
            " ORDER BY rule_id"
        ).fetchall()
        for rule_id, *values in there:
            if wanted and Rule(*values) not in wanted:
                new = wanted.pop(0)
                conn.execute(
                    "UPDATE cdm.tag_rules SET (kind, name, threshold, tag, active)"
                    " = (%s, %s, %s, %s, %s) WHERE rule_id = %s",
                    (*astuple(new), rule_id),
                )
            elif wanted:
                wanted.remove(Rule(*values))
            else:
                conn.execute("DELETE FROM cdm.tag_rules WHERE rule_id = %s", (rule_id,))
        for new in wanted:
            conn.execute(
                "INSERT INTO cdm.tag_rules (kind, name, threshold, tag, active)"
                " VALUES (%s, %s, %s, %s, %s)",
                astuple(new),
            )


def load(settings: Settings, run_id: str = "test") -> dict[str, Outcome]:
    """Run the vault, each mart and the tags once; return their outcomes by stage."""
    outcomes = [vault.run(settings, FOOD, caller("vault", run_id))]
    outcomes += [
        marts.run(settings, name, caller(name, run_id)) for name in load_marts("food")
    ]
    outcomes.append(tags.run(settings, caller("tags", run_id)))
    return {outcome.stage: outcome for outcome in outcomes}


def _asked_at_once(entries: Iterable[Entry]) -> Iterator[dict[str, bytes]]:
    """Cut the entries so that no id is asked for twice at once."""
    asked: dict[str, bytes] = {}
    for entry in entries:
        if entry.id in asked:
            yield asked
            asked = {}
        asked[entry.id] = entry.value
    if asked:
        yield asked


def _headers(message: Message) -> bytes | None:
    if not message.headers:
        return None
    pairs = [
        [name, None if value is None else b64encode(value).decode()]
        for name, value in message.headers
    ]
    return json.dumps(pairs).encode()
