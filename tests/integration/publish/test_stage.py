"""Tags go out: to a topic and to Redis, in order, once a version, never back."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from psycopg import Connection
from pydantic import SecretStr

from deploy.local.ports import Ports
from palate.clients.kafka_sender import COMPACTED, open_sender
from palate.engine.outcome import Outcome
from palate.errors import PalateError, ServiceUnavailableError, StageBusyError
from palate.outbox import tag_states
from palate.outbox.tag_states import State
from palate.publish import redis_tags
from palate.publish import stage as publish
from palate.settings import Settings
from tests.integration.published import (
    change_tags,
    in_redis,
    messages,
    newest,
    states,
)
from tests.integration.staged import caller

NOBODY = Ports.free()


@pytest.fixture
def shop(warehouse: Settings) -> Settings:
    """Give the warehouse a topic of tags of its own, and little patience."""
    topic = f"tags_{next(iter(warehouse.palate_topics))}"
    return warehouse.model_copy(
        update={"palate_tags_topic": topic, "palate_kafka_timeout": 10.0}
    )


@contextmanager
def client(settings: Settings) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(settings.redis_url.get_secret_value()) as found:
        yield found


def run(settings: Settings) -> Outcome:
    return publish.run(settings, caller("publish"))


def test_changed_tags_reach_the_topic_and_redis(
    shop: Settings, connection: Connection
) -> None:
    change_tags(connection, {"g1": ["Любитель пиццы", "A"], "g2": ["B"]})

    outcome = run(shop)

    assert outcome.counts == {"tags_sent": 2, "tags_written": 2}
    assert in_redis(shop, "g1", "g2") == {"g1": ["A", "Любитель пиццы"], "g2": ["B"]}
    record = next(
        one for one in messages(shop, shop.palate_tags_topic) if one.key == b"g1"
    )
    value = json.loads(record.value)
    (since,) = connection.execute(
        "SELECT DISTINCT to_char(since_dt AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')"
        " FROM cdm.user_tags"
    ).fetchone() or ("",)
    assert value == {
        "user_id": "g1",
        "tags": [
            {"tag": "A", "since": since},
            {"tag": "Любитель пиццы", "since": since},
        ],
        "version": value["version"],
    }
    assert list(record.headers) == [("palate-origin", b"palate")]
    assert connection.execute("SELECT count(*) FROM ops.tag_outbox").fetchone() == (0,)
    assert run(shop).batches == 0


def test_tags_are_sorted_by_code_point_whatever_they_and_the_guests_are_called(
    shop: Settings, connection: Connection
) -> None:
    # ё comes after я, and in UTF-16 the emoji before the half-width sign.
    tags = ['"', "A", "a", "я", "ё", "\uff61", "🍕"]
    guests = ["гость:1 {x}", "version:g", "}{", "a" * 100]
    change_tags(connection, dict.fromkeys(guests, tags[::-1]) | {"g": ["A"]})

    run(shop)

    assert in_redis(shop, *guests) == dict.fromkeys(guests, tags)
    assert newest(shop) == dict.fromkeys(guests, tags) | {"g": ["A"]}
    assert in_redis(shop, "g") == {"g": ["A"]}


def test_guest_who_lost_the_last_tag_has_an_empty_state_and_no_key(
    shop: Settings, connection: Connection
) -> None:
    change_tags(connection, {"g": ["A"]})
    run(shop)
    change_tags(connection, {"g": []})
    run(shop)

    assert newest(shop) == {"g": []}
    assert in_redis(shop, "g") == {"g": None}
    with client(shop) as app:  # else an older state could come back
        assert app.get(redis_tags.version_key("g")) is not None


def test_only_the_newest_of_several_changes_is_sent(
    shop: Settings, connection: Connection
) -> None:
    for tags in (["A"], ["A", "B"], [], ["C"], ["B", "C"]):
        change_tags(connection, {"g": tags})
    assert connection.execute("SELECT count(*) FROM ops.tag_outbox").fetchone() == (1,)

    run(shop)

    assert [state["tags"][0]["tag"] for state in states(shop)] == ["B"]
    assert len(messages(shop, shop.palate_tags_topic)) == 1


def test_versions_ascend_as_the_commits_do(
    shop: Settings, connection: Connection
) -> None:
    """The second session waits for the first one's commit before it gets a version."""
    change_tags(connection, {"g": []})
    dsn = shop.dwh_dsn.get_secret_value()
    with (
        psycopg.connect(dsn, autocommit=True) as first,
        psycopg.connect(dsn, autocommit=True) as second,
    ):
        second.execute("SET statement_timeout = '60s'")
        with first.transaction():
            change_tags(first, {"g": ["first"]})
            other = threading.Thread(
                target=change_tags, args=(second, {"h": ["second"]})
            )
            other.start()
            _until_it_waits(connection, second.info.backend_pid)
        other.join()
    rows = connection.execute(
        "SELECT guest_id FROM ops.tag_outbox ORDER BY version"
    ).fetchall()
    assert rows == [("g",), ("h",)]


def test_change_that_is_rolled_back_enters_nothing(
    shop: Settings, connection: Connection
) -> None:
    with connection.transaction(force_rollback=True):
        change_tags(connection, {"g": ["A"]})

    assert run(shop).batches == 0
    query = "SELECT last_version FROM ops.tag_versions"
    assert connection.execute(query).fetchone() == (0,)


def test_warehouse_that_was_made_anew_goes_on_above_what_the_app_has_seen(
    shop: Settings, connection: Connection
) -> None:
    change_tags(connection, {"g": ["before"]})
    run(shop)
    connection.execute("UPDATE ops.tag_versions SET last_version = 0")
    connection.execute("DELETE FROM ops.watermarks")
    change_tags(connection, {"g": ["after"]})
    run(shop)

    assert newest(shop) == {"g": ["after"]}
    assert in_redis(shop, "g") == {"g": ["after"]}


def test_redis_that_is_down_does_not_hold_up_the_topic(
    shop: Settings, connection: Connection
) -> None:
    url = SecretStr(f"redis://127.0.0.1:{NOBODY.redis}/0")
    without = shop.model_copy(update={"redis_url": url})
    change_tags(connection, {"g": ["A"]})

    waits = "what waits is published once it is mended"
    with pytest.raises(ServiceUnavailableError, match=waits) as error:
        run(without)

    assert "Redis (the tags of the app)" in str(error.value)
    assert newest(shop) == {"g": ["A"]}
    assert in_redis(shop, "g") == {"g": None}
    assert connection.execute("SELECT count(*) FROM ops.tag_outbox").fetchone() == (1,)
    assert run(shop).counts == {"tags_written": 1}  # and nothing is sent twice
    assert in_redis(shop, "g") == {"g": ["A"]}


def test_broker_that_is_down_does_not_hold_up_redis(
    shop: Settings, connection: Connection
) -> None:
    nowhere = {
        "kafka_bootstrap": f"127.0.0.1:{NOBODY.kafka}",
        "palate_kafka_timeout": 1.0,
    }
    without = shop.model_copy(update=nowhere)
    change_tags(connection, {"g": ["A"]})

    waits = "what waits is published once it is mended"
    with pytest.raises(ServiceUnavailableError, match=waits) as error:
        run(without)

    assert f"Kafka at 127.0.0.1:{NOBODY.kafka} does not answer" in str(error.value)
    assert in_redis(shop, "g") == {"g": ["A"]}
    assert run(shop).counts == {"tags_sent": 1}
    assert newest(shop) == {"g": ["A"]}


def test_both_down_are_both_named(shop: Settings, connection: Connection) -> None:
    nowhere = {
        "kafka_bootstrap": f"127.0.0.1:{NOBODY.kafka}",
        "palate_kafka_timeout": 1.0,
        "redis_url": SecretStr(f"redis://127.0.0.1:{NOBODY.redis}/0"),
    }
    change_tags(connection, {"g": ["A"]})

    with pytest.raises(ServiceUnavailableError, match=r"Kafka at .*Redis \("):
        run(shop.model_copy(update=nowhere))


def test_topic_is_made_to_keep_the_newest_state_of_each_guest(
    shop: Settings, connection: Connection
) -> None:
    change_tags(connection, {"g": ["A"]})
    run(shop)

    admin = KafkaAdminClient(bootstrap_servers=shop.kafka_bootstrap)
    topic = ConfigResource(ConfigResourceType.TOPIC, shop.palate_tags_topic)
    found = str(admin.describe_configs([topic]))
    admin.close()
    assert re.search(r"cleanup.policy\W.*?compact", found)


def test_publisher_that_slept_is_shut_out_of_the_topic(shop: Settings) -> None:
    """Its older state would else be the last of its key, and all that is kept."""
    topic = shop.palate_tags_topic
    with open_sender(shop, topic, COMPACTED) as sleeper:
        sleeper.send([("g", b"1")])
        with open_sender(shop, topic, COMPACTED) as other:
            other.send([("g", b"2")])
            with pytest.raises(StageBusyError, match="Another run sends"):
                sleeper.send([("g", b"1")])

    assert [one.value for one in messages(shop, topic)] == [b"1", b"2"]


def test_message_that_is_too_large_is_named(shop: Settings) -> None:
    config = COMPACTED | {"max.message.bytes": "2000"}
    with (
        open_sender(shop, shop.palate_tags_topic, config) as sender,
        pytest.raises(PalateError, match="the message of key big is too large"),
    ):
        sender.send([("small", b"1"), ("big", b"1" * 3_000)])


def test_all_is_sent_again_on_request(shop: Settings, connection: Connection) -> None:
    change_tags(connection, {"g": ["A"], "h": ["B"]})
    run(shop)
    with client(shop) as app:
        app.flushdb()

    publish.again(shop, caller("again"))
    run(shop)

    assert in_redis(shop, "g", "h") == {"g": ["A"], "h": ["B"]}
    versions = [state["version"] for state in states(shop)]
    assert len(versions) == len(set(versions)) == 4


def test_redis_that_may_evict_versions_is_told_of(
    shop: Settings, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    change_tags(connection, {"g": ["A"]})
    with client(shop) as app:
        kept = app.config_get("maxmemory-policy")["maxmemory-policy"]
        app.config_set("maxmemory-policy", "allkeys-lru")
        try:
            run(shop)
        finally:
            app.config_set("maxmemory-policy", kept)
    assert "Set it to noeviction" in caplog.text


@pytest.fixture(scope="module")
def app(make_warehouse: object) -> Iterator["redis.Redis"]:
    """Give the Redis of a warehouse that several examples share."""
    with make_warehouse() as found, client(found) as connected:  # type: ignore[operator]
        yield connected


@profile(max_examples=150)
@given(
    writes=st.lists(st.tuples(st.sampled_from("gh"), st.integers(1, 6)), min_size=1),
    at_once=st.integers(1, 3),
)
def test_the_newest_state_wins_in_whatever_order_they_are_written(
    app: "redis.Redis", writes: list[tuple[str, int]], at_once: int
) -> None:
    """Two publishers, one that slept, repeats: all give the states in some order."""
    app.flushdb()
    given = [State(guest, number, _tags(number)) for guest, number in writes]
    for start in range(0, len(given), at_once):
        redis_tags.write(app, given[start : start + at_once])

    for guest in "gh":
        newest_version = max((n for g, n in writes if g == guest), default=0)
        found = app.get(redis_tags.tags_key(guest))
        wanted = [tag for tag, _ in _tags(newest_version)]
        assert json.loads(found or "[]") == wanted
        assert (found is None) == (not wanted)


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("change"), st.sampled_from("gh"), st.sets(st.sampled_from("AB"))
        ),
        st.tuples(st.sampled_from(["take", "write", "end"]), st.integers(0, 1)),
    ),
    max_size=14,
)


@pytest.fixture(scope="module")
def shared(make_warehouse: object) -> Iterator[tuple[Settings, Connection]]:
    with make_warehouse() as settings:  # type: ignore[operator]
        dsn = settings.dwh_dsn.get_secret_value()
        with psycopg.connect(dsn, autocommit=True) as conn:
            yield settings, conn


@profile(max_examples=30, deadline=None)
@given(steps=STEPS)
def test_two_publishers_at_once_leave_the_newest_state(
    shared: tuple[Settings, Connection], steps: list[tuple[object, ...]]
) -> None:
    """As if there were no lock: each takes, writes and marks whenever it likes."""
    settings, conn = shared
    conn.execute("TRUNCATE ops.tag_outbox, cdm.user_tags")
    conn.execute("DELETE FROM ops.watermarks")
    held: dict[str, list[str]] = {}
    taken: list[list[State]] = [[], []]
    with client(settings) as app:
        app.flushdb()
        for what, who, *tags in steps:
            if what == "change":
                held[str(who)] = sorted(tags[0])  # type: ignore[call-overload]
                change_tags(conn, {str(who): held[str(who)]})
            elif what == "take":
                taken[int(str(who))] = tag_states.waiting(
                    conn, publish.TAGS_TO_REDIS, 5
                )
            elif what == "write":
                redis_tags.write(app, taken[int(str(who))])
            elif what == "end" and taken[int(str(who))]:
                redis_tags.write(app, taken[int(str(who))])
                _mark(conn, taken[int(str(who))])
        redis_tags.write(app, tag_states.waiting(conn, publish.TAGS_TO_REDIS, 100))
    assert in_redis(settings, *held) == {
        guest: tags or None for guest, tags in held.items()
    }


def _mark(conn: Connection, states: list[State]) -> None:
    """Move the watermark, unless another one has moved it past these states."""
    conn.execute(
        "INSERT INTO ops.watermarks AS w (stage, topic, epoch, kafka_partition,"
        " first_offset, next_offset, moved_dt) VALUES (%s, %s, 0, 0, 0, %s, now())"
        " ON CONFLICT (stage, topic, epoch, kafka_partition) DO UPDATE"
        " SET next_offset = greatest(w.next_offset, excluded.next_offset)",
        (publish.TAGS_TO_REDIS, tag_states.LOG.topic, states[-1].version + 1),
    )
    tag_states.forget(conn, (publish.TAGS_TO_REDIS,))


def _tags(number: int) -> tuple[tuple[str, str], ...]:
    return tuple((f"tag {n}", "2023-08-01 00:00:00") for n in range(1, number % 3 + 1))


def _until_it_waits(conn: Connection, pid: int) -> None:
    query = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
    while conn.execute(query, (pid,)).fetchone() is None:
        threading.Event().wait(0.01)


README = Path(__file__).parents[3] / "docs" / "consuming.md"


def test_consumer_of_the_page_shows_each_guests_newest_tags(
    warehouse: Settings, connection: Connection
) -> None:
    """The very text is run, on the topic that it names."""
    (text,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    guest = f"guest of {next(iter(warehouse.palate_topics))}"
    reader = subprocess.Popen(
        [sys.executable, "-c", text],
        env={"KAFKA_BOOTSTRAP": warehouse.kafka_bootstrap},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout is not None
    try:
        for tags in (["A"], ["A", "B"], []):
            change_tags(connection, {guest: tags})
            run(warehouse)
            found = next(line for line in reader.stdout if line.startswith(guest))
            assert found == f"{guest} {tags}\n"
    finally:
        reader.kill()
        reader.communicate()
