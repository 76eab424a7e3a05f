"""What tests of publishing share: changed tags, a topic's messages, the app's Redis."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import redis
from kafka import KafkaConsumer, TopicPartition
from psycopg import Connection

from palate.engine.outcome import Batch
from palate.names import HUB_KEY_NAMESPACE
from palate.outbox import tag_states
from palate.publish.redis_tags import tags_key
from palate.settings import Settings


def change_tags(conn: Connection, held: Mapping[str, Iterable[str]]) -> None:
    """Let these guests hold these tags, and no others, as the stage tags does it."""
    with conn.transaction():
        (now,) = conn.execute("SELECT now()").fetchone() or (datetime.now(UTC),)
        conn.execute("CREATE TEMP TABLE changed_guests (user_id uuid) ON COMMIT DROP")
        for guest_id, tags in held.items():
            (user_id,) = conn.execute(
                "INSERT INTO dds.h_user (h_user_pk, user_id, load_dt, load_src)"
                " VALUES (uuid_generate_v5(%s, %s), %s, %s, 'test')"
                " ON CONFLICT (h_user_pk) DO UPDATE SET user_id = excluded.user_id"
                " RETURNING h_user_pk",
                (HUB_KEY_NAMESPACE, guest_id, guest_id, now),
            ).fetchone() or (None,)
            conn.execute(
                "UPDATE cdm.user_tags SET until_dt = %s WHERE user_id = %s"
                " AND until_dt IS NULL AND tag <> ALL(%s)",
                (now, user_id, list(tags)),
            )
            conn.execute(
                "INSERT INTO cdm.user_tags (user_id, tag, since_dt)"
                " SELECT %(user_id)s, tag, %(now)s FROM unnest(%(tags)s::text[]) AS tag"
                " ON CONFLICT DO NOTHING",
                {"user_id": user_id, "tags": list(tags), "now": now},
            )
            conn.execute("INSERT INTO changed_guests VALUES (%s)", (user_id,))
        tag_states.enter_tags(conn, Batch([], False, now))


def messages(settings: Settings, topic: str) -> list[Any]:
    """Return every committed record of a topic, each partition's in order.

    A broker makes a transaction visible a while after it has confirmed it.
    """
    options = {
        "bootstrap_servers": settings.kafka_bootstrap,
        "group_id": None,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
    }
    all_sent = KafkaConsumer(**options)
    consumer = KafkaConsumer(**options, isolation_level="read_committed")
    try:
        numbers = sorted(all_sent.partitions_for_topic(topic) or ())
        partitions = [TopicPartition(topic, number) for number in numbers]
        if not partitions:
            return []  # nobody has made the topic yet
        ends = all_sent.end_offsets(partitions)
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        found: list[Any] = []
        while any(consumer.position(tp) < end for tp, end in ends.items()):
            for records in consumer.poll(timeout_ms=200).values():
                found += records
        return found
    finally:
        consumer.close()
        all_sent.close()


def states(settings: Settings) -> list[dict[str, Any]]:
    """Return the states of tags that were published, without doubled ones."""
    found = {}
    for record in messages(settings, settings.palate_tags_topic):
        state = json.loads(record.value)
        found[(state["user_id"], state["version"])] = state
    return list(found.values())


def newest(settings: Settings) -> dict[str, list[str]]:
    """Return the tags that a consumer believes each guest to have."""
    found: dict[str, dict[str, Any]] = {}
    for record in messages(settings, settings.palate_tags_topic):
        state = json.loads(record.value)
        known = found.get(state["user_id"])
        if known is None or state["version"] > known["version"]:
            found[state["user_id"]] = state
    return {id: [tag["tag"] for tag in state["tags"]] for id, state in found.items()}


def in_redis(settings: Settings, *guests: str) -> dict[str, list[str] | None]:
    """Return what the app finds in Redis for these guests."""
    with redis.Redis.from_url(settings.redis_url.get_secret_value()) as client:
        values = {guest: client.get(tags_key(guest)) for guest in guests}
    return {
        guest: None if value is None else json.loads(value)
        for guest, value in values.items()
    }
