"""What the app gets to see: the topic of tags, and Redis, against who holds which tag.

``cdm.user_tags`` is compared with the model elsewhere; here it is the truth.
"""

import json
from typing import Any

import psycopg
import redis

from palate.outbox import tag_states
from palate.publish import redis_tags
from palate.publish import stage as publish
from palate.settings import Settings
from tests.faults.verdict import Verdict
from tests.integration.published import messages

_OUTLETS = (publish.TAGS_TO_KAFKA, publish.TAGS_TO_REDIS)
_HELD = """
SELECT
    h.user_id,
    coalesce(
        jsonb_object_agg(
            u.tag, to_char(u.since_dt AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
        ) FILTER (WHERE u.until_dt IS NULL),
        '{}'
    )
FROM cdm.user_tags AS u INNER JOIN dds.h_user AS h ON u.user_id = h.h_user_pk
GROUP BY h.user_id
"""


def check_published(
    conn: psycopg.Connection, settings: Settings, verdict: Verdict
) -> None:
    """Compare both outlets with the tags; all that waited must have been published."""
    held = {guest: dict(sorted(tags.items())) for guest, tags in conn.execute(_HELD)}
    for outlet in _OUTLETS:
        if left := tag_states.waiting(conn, outlet, 5):
            verdict.wrong += len(left)
            verdict.notes.append(f"{outlet} has not published {left}")
    newest = _newest(settings, verdict)
    for guest in held.keys() | newest.keys():
        should, state = held.get(guest, {}), newest.get(guest, {"tags": None})
        if _tags(state) != should:
            verdict.lost += 1
            verdict.notes.append(f"Kafka: {guest} has {state}, not {should}")
    _check_redis(settings, held, newest, verdict)


def _newest(settings: Settings, verdict: Verdict) -> dict[str, dict[str, Any]]:
    """Return each guest's last state on the topic; versions must only grow."""
    states: dict[tuple[str, int], dict[str, Any]] = {}
    last: dict[str, dict[str, Any]] = {}
    for record in messages(settings, settings.palate_tags_topic):
        state = json.loads(record.value)
        guest, version = state["user_id"], state["version"]
        if record.key != guest.encode():
            verdict.wrong += 1
            verdict.notes.append(f"{record.key!r} is the key of {state}")
        if states.setdefault((guest, version), state) != state:
            verdict.doubled += 1
            verdict.notes.append(f"two states of one version: {state}")
        if guest in last and version < last[guest]["version"]:
            verdict.wrong += 1
            verdict.notes.append(f"an older state of {guest} came after a newer")
        last[guest] = state
    return last


def _check_redis(
    settings: Settings,
    held: dict[str, dict[str, str]],
    newest: dict[str, dict[str, Any]],
    verdict: Verdict,
) -> None:
    with redis.Redis.from_url(settings.redis_url.get_secret_value()) as client:
        there = {key.decode() for key in client.scan_iter(redis_tags.tags_key("*"))}
        should = {redis_tags.tags_key(guest) for guest, tags in held.items() if tags}
        verdict.wrong += len(there - should)
        verdict.notes += [f"Redis: nobody has {key}" for key in there - should]
        for guest, tags in held.items():
            value = client.get(redis_tags.tags_key(guest))
            if (json.loads(value) if value else []) != list(tags):
                verdict.wrong += 1
                verdict.notes.append(f"Redis: {guest} has {value!r}, not {list(tags)}")
            version = int(client.get(redis_tags.version_key(guest)) or 0)
            if guest in newest and version != newest[guest]["version"]:
                verdict.wrong += 1
                verdict.notes.append(
                    f"Redis: {guest} has version {version}, Kafka {newest[guest]}"
                )


def _tags(state: dict[str, Any]) -> dict[str, str] | None:
    tags = state["tags"]
    return None if tags is None else {one["tag"]: one["since"] for one in tags}
