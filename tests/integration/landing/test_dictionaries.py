"""Dictionary entries from a real Redis: found, late, unusable, changed."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import redis
from psycopg import Connection

from deploy.local.ports import Ports
from palate.engine.outcome import Outcome
from palate.errors import (
    AccessDeniedError,
    NotFoundError,
    PalateError,
    ServiceUnavailableError,
    SettingsError,
)
from palate.landing import dictionaries
from palate.marts.compare import differences
from palate.marts.definitions import load_marts
from palate.pipelines import look_up, look_up_all
from palate.reads.entry import find_entry
from palate.settings import Settings
from tests.integration.staged import caller, load, stage_messages, with_topics
from tests.model.compare import actual, assert_equal, expected
from tests.model.history import Entry, History, Message
from tests.unit.model.stories import DAY_1, DAY_2, DAY_3, dish, entry, guest, line, menu
from tests.unit.model.stories import raw as raw_message


@dataclass
class Pantry:
    """A warehouse whose orders are staged by SQL, and the Redis it asks."""

    settings: Settings
    conn: Connection
    redis: "redis.Redis"
    messages: list[Message] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    _runs: Iterator[int] = field(default_factory=itertools.count)

    def order(self, order_id: int, *dishes: str, **more: Any) -> None:
        """Stage an order whose lines have no names, and load it."""
        message = raw_message(
            order_id,
            [line(product_id, name=None) for product_id in dishes],
            offset=len(self.messages),
            **more,
        )
        stage_messages(self.conn, [message], datetime.now(UTC))
        self.messages.append(message)
        load(self.settings, f"order {order_id}")

    def put(self, *entries: Entry) -> None:
        """Write entries to Redis; the model gets them as what was staged next."""
        for one in entries:
            self.redis.set(one.id, one.value)
        self.entries += entries

    def run(self) -> Outcome:
        """Ask for what is due, and count it."""
        return self._stage(look_up)

    def sync(self) -> Outcome:
        """Ask for everything, and count it."""
        return self._stage(look_up_all)

    def make_due(self) -> None:
        """Let the pauses of all ids be over."""
        for table in ("dictionary_lookups", "menu_lookups"):
            self.conn.execute(f"UPDATE ops.{table} SET next_try_dt = now()")

    def lookups(self, columns: str) -> list[tuple[Any, ...]]:
        """Return what is waiting."""
        query = f"SELECT {columns} FROM ops.dictionary_lookups ORDER BY id"
        return self.conn.execute(query).fetchall()

    def lacking(self, columns: str) -> list[tuple[Any, ...]]:
        """Return the dishes that known menus lack."""
        query = f"SELECT {columns} FROM ops.menu_lookups ORDER BY product_id"
        return self.conn.execute(query).fetchall()

    def categories(self) -> list[tuple[str, int]]:
        """Return what is counted by category."""
        query = "SELECT category_name, order_cnt FROM cdm.user_category_counters"
        return sorted(self.conn.execute(query).fetchall())

    def check(self) -> None:
        """Compare every table with the model."""
        history = History(tuple(self.messages), tuple(self.entries))
        assert_equal(expected(history), actual(self.conn))
        for mart in load_marts("food"):
            assert differences(self.settings, mart) == (0, [])

    def _stage(self, stage: Any) -> Outcome:
        run_id = f"run {next(self._runs)}"
        outcome: Outcome = stage(self.settings, caller("dictionaries", run_id))
        load(self.settings, run_id)
        return outcome


@pytest.fixture
def pantry(warehouse: Settings) -> Iterator[Pantry]:
    settings = with_topics(warehouse)
    dsn = settings.dwh_dsn.get_secret_value()
    with (
        psycopg.connect(dsn, autocommit=True) as conn,
        redis.Redis.from_url(settings.redis_url.get_secret_value()) as client,
    ):
        yield Pantry(settings, conn, client)


def test_ids_of_new_orders_are_asked_for_once(pantry: Pantry) -> None:
    pantry.put(guest("u", DAY_1, "Ольга", login="olga"))
    pantry.put(menu("r", DAY_1, dish("d", "Лобио", category="Суп")))
    pantry.entries.reverse()  # Redis is asked in the order of the ids
    pantry.order(1, "d")
    assert dictionaries.is_due(pantry.conn) is False

    outcome = pantry.run()

    counts = outcome.counts
    assert (counts["asked"], counts["staged"], counts["not_found"]) == (2, 2, 0)
    assert pantry.lookups("id") == []
    pantry.check()

    assert pantry.run().counts["asked"] == 0
    pantry.order(2, "d")
    assert pantry.run().counts["asked"] == 0
    pantry.check()


def test_missing_entry_blocks_nothing_and_corrects_the_marts_when_it_comes(
    pantry: Pantry,
) -> None:
    pantry.order(1, "d", "x")
    assert pantry.run().counts["not_found"] == 2
    pantry.check()
    assert pantry.lookups("id, problem, tried_cnt") == [
        ("r", "there is no such key, or it holds no string", 1),
        ("u", "there is no such key, or it holds no string", 1),
    ]

    pantry.put(menu("r", DAY_2, dish("d", "Лобио", category="Суп")))
    assert pantry.run().counts["asked"] == 0, "it asked again before the pause ended"
    pantry.make_due()
    assert dictionaries.is_due(pantry.conn) is True
    assert pantry.run().counts["staged"] == 1
    pantry.check()
    assert pantry.lookups("id") == [("u",)]

    pantry.put(guest("u", DAY_2))
    pantry.make_due()
    pantry.run()
    pantry.check()
    assert pantry.lookups("id") == []


def test_pauses_grow_but_stay_below_a_minute_while_the_id_is_new(
    pantry: Pantry,
) -> None:
    pantry.order(1)
    pauses = []
    for _ in range(8):
        pantry.run()
        ((pause,),) = pantry.lookups("max(next_try_dt - tried_dt) AS id")
        pauses.append(pause.total_seconds())
        pantry.make_due()

    assert pauses == sorted(pauses)
    assert pauses[0] < pauses[2] < 60
    assert all(0 < pause < 60 for pause in pauses)


@pytest.mark.parametrize("hours", [1, 3, 24, 24 * 365])
def test_old_unknown_id_is_asked_for_hourly(pantry: Pantry, hours: int) -> None:
    pantry.order(1)
    pantry.run()
    pantry.conn.execute(
        "UPDATE ops.dictionary_lookups"
        " SET next_try_dt = now(), first_staged_dt = now() - %s",
        (timedelta(hours=hours),),
    )
    pantry.run()
    ((pause,),) = pantry.lookups("max(next_try_dt - tried_dt) AS id")
    assert timedelta(minutes=1) < pause < timedelta(hours=1)


UNUSABLE = {
    "no_bytes": (b"", "not JSON"),
    "no_json": (b"Redis", "not JSON"),
    "half": (b'{"_id": "half"', "not JSON"),
    "no_utf8": (b'{"name": "\xff"}', "not JSON"),
    "no_object": (b"[]", "no object"),
    "null": (b"null", "no object"),
    "another_id": (entry("x", name="N", update_ts_utc=DAY_1).value, "_id differs"),
    "no_id": (b'{"name": "N", "update_ts_utc": "2023-08-01 10:00:00"}', "_id differs"),
    "no_name": (entry("no_name", update_ts_utc=DAY_1).value, "no usable name"),
    "long_name": (
        entry("long_name", name="x" * 1001, update_ts_utc=DAY_1).value,
        "no usable name",
    ),
    "number": (entry("number", name=7, update_ts_utc=DAY_1).value, "no usable name"),
    "no_time": (entry("no_time", name="N").value, "no usable update_ts_utc"),
    "iso_time": (
        entry("iso_time", name="N", update_ts_utc="2023-08-01T10:00:00").value,
        "no usable update_ts_utc",
    ),
    "no_day": (
        entry("no_day", name="N", update_ts_utc="2023-02-29 10:00:00").value,
        "no usable update_ts_utc",
    ),
    "long_year": (
        entry("long_year", name="N", update_ts_utc="12023-02-01 10:00:00").value,
        "no usable update_ts_utc",
    ),
    "number_time": (
        entry("number_time", name="N", update_ts_utc=20230801).value,
        "no usable update_ts_utc",
    ),
}


def test_unusable_entry_counts_as_missing_and_is_reported(
    pantry: Pantry, caplog: pytest.LogCaptureFixture
) -> None:
    for number, (key, (value, _)) in enumerate(UNUSABLE.items()):
        pantry.redis.set(key, value)
        pantry.entries.append(Entry(key, value))
        pantry.order(number, "d", user=key, restaurant="hash")
    pantry.redis.hset("hash", "name", "of another type")

    outcome = pantry.run()

    assert outcome.counts["staged"] == 0
    found = dict(pantry.lookups("id, problem"))
    assert found.pop("hash") == "there is no such key, or it holds no string"
    assert [
        (key, found.get(key), problem)
        for key, (_, problem) in UNUSABLE.items()
        if problem not in found.get(key, "")
    ] == []
    assert len(found) == len(UNUSABLE)
    assert "entries count as missing, the value is not JSON: 'half'" in caplog.text
    pantry.check()

    # What is mended is found at the next try.
    mended = guest("no_json", DAY_1)
    pantry.put(mended)
    pantry.make_due()
    assert pantry.run().counts["staged"] == 1
    pantry.check()


def test_sync_stages_what_changed_and_each_version_once(pantry: Pantry) -> None:
    pantry.put(menu("r", DAY_2, dish("d", "D", category="Суп")), guest("u", DAY_2))
    pantry.order(1, "d", date=DAY_3, update_ts=DAY_3)
    pantry.run()
    assert pantry.sync().counts["staged"] == 0

    for number, changed in enumerate(
        [
            menu("r", DAY_3, dish("d", "DD", category="Суп")),
            menu("r", DAY_3, dish("d", "another content of this time")),
            menu("r", DAY_1, dish("d", "back in time", category="")),
            guest("u", DAY_3, "another name", login="and login"),
        ]
    ):
        pantry.put(changed)
        assert pantry.sync().counts["staged"] == 1, number
        pantry.check()
        assert pantry.sync().counts["staged"] == 0, number

    # A content that was there before is no new version, whoever wrote it again.
    pantry.put(menu("r", DAY_3, dish("d", "DD", category="Суп")))
    assert pantry.sync().counts["staged"] == 0
    pantry.check()


def test_known_entry_that_is_gone_leaves_its_names(
    pantry: Pantry, caplog: pytest.LogCaptureFixture
) -> None:
    pantry.put(menu("r", DAY_1, dish("d", "D", category="Суп")), guest("u", DAY_1))
    pantry.order(1, "d")
    pantry.run()
    pantry.redis.flushdb()

    assert pantry.sync().counts["not_found"] == 2

    pantry.check()
    assert "there is no such key, or it holds no string: 'r', 'u'." in caplog.text


def test_sync_asks_for_unknown_ids_too(pantry: Pantry) -> None:
    pantry.order(1, "d")
    pantry.run()
    pantry.put(menu("r", DAY_1, dish("d", category="Суп")))
    assert pantry.sync().counts["staged"] == 1
    pantry.check()
    assert pantry.lookups("id") == [("u",)]


def test_dish_moves_is_renamed_and_leaves_the_menu(pantry: Pantry) -> None:
    pantry.put(menu("r", DAY_1, dish("d", "old", category="Суп")), guest("u", DAY_1))
    pantry.order(1, "d", date=DAY_1, update_ts=DAY_1)
    pantry.order(2, "d", date=DAY_2, update_ts=DAY_2)
    pantry.order(3, "d", date=DAY_3, update_ts=DAY_3)
    pantry.run()

    def categories() -> list[tuple[str, int]]:
        query = "SELECT category_name, order_cnt FROM cdm.user_category_counters"
        return sorted(pantry.conn.execute(query).fetchall())

    assert categories() == [("Суп", 3)]

    # Moved and renamed on the second day: what was ordered before stays a soup.
    pantry.put(menu("r", DAY_2, dish("d", "new", category="")))
    pantry.sync()
    assert categories() == [("", 2), ("Суп", 1)]
    pantry.check()

    # It left the menu on the third day, and keeps what it last had.
    pantry.put(menu("r", DAY_3, dish("another", category="Пицца")))
    pantry.sync()
    assert categories() == [("", 2), ("Суп", 1)]
    assert pantry.conn.execute(
        "SELECT product_name, order_cnt FROM cdm.user_product_counters"
    ).fetchall() == [("new", 3)]
    pantry.check()


def test_more_ids_than_one_request_takes(pantry: Pantry) -> None:
    users = [f"user {number:04}" for number in range(1_100)]
    messages = [
        raw_message(number, offset=number, user=user)
        for number, user in enumerate(users)
    ]
    pantry.redis.mset({user: guest(user, DAY_1).value for user in users})
    stage_messages(pantry.conn, messages)
    load(pantry.settings)

    outcome = pantry.run()

    counts = outcome.counts
    assert (counts["asked"], counts["staged"], counts["not_found"]) == (1_101, 1_100, 1)
    assert pantry.conn.execute(
        "SELECT count(*), count(DISTINCT h_user_pk) FROM dds.s_user_names"
    ).fetchone() == (1_100, 1_100)


def test_repeat_of_a_task_adds_nothing(pantry: Pantry) -> None:
    pantry.put(menu("r", DAY_1, dish("d", category="Суп")))
    pantry.order(1, "d")
    for _ in range(2):
        look_up(pantry.settings, caller("dictionaries", "the same"))
        load(pantry.settings, "the same")
    pantry.check()
    query = "SELECT count(*) FROM dds.s_restaurant_names"
    assert pantry.conn.execute(query).fetchone() == (1,)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(f"redis://127.0.0.1:{Ports.free().redis}/0", id="nobody listens"),
        pytest.param("wrong password", id="wrong password"),
        pytest.param("", id="not set"),
        pytest.param("no url", id="no URL"),
    ],
)
def test_redis_that_can_not_be_read_stops_nothing_else(
    pantry: Pantry, url: str
) -> None:
    if url == "wrong password":
        right = pantry.settings.redis_url.get_secret_value()
        url = "redis://:wrong@" + right.rsplit("@", 1)[1]
    pantry.put(menu("r", DAY_1, dish("d", category="Суп")))
    pantry.order(1, "d")
    settings = Settings.model_validate(
        {**pantry.settings.model_dump(), "redis_url": url}
    )

    with pytest.raises(PalateError, match=r"Redis|REDIS_URL") as error:
        look_up(settings, caller("dictionaries", "down"))

    expected_error = {
        ":wrong@" in url: AccessDeniedError,
        url == "no url": SettingsError,
    }.get(True, ServiceUnavailableError)
    assert type(error.value) is expected_error
    assert "wrong@" not in str(error.value)
    assert pantry.lookups("id, tried_cnt") == [("r", 0), ("u", 0)]
    assert pantry.conn.execute("SELECT * FROM stg.dictionary_entries").fetchall() == []
    pantry.entries.clear()
    pantry.check()

    pantry.put(menu("r", DAY_1, dish("d", category="Суп")))
    pantry.run()
    pantry.check()


def test_restaurant_is_asked_at_once_when_its_menu_lacks_a_dish(
    pantry: Pantry,
) -> None:
    pantry.put(menu("r", DAY_1, dish("d", category="Суп")), guest("u", DAY_1))
    pantry.entries.reverse()
    pantry.order(1, "d")
    pantry.run()
    pantry.order(2, "d", "new")
    pantry.put(
        menu("r", DAY_2, dish("d", category="Суп"), dish("new", category="Пицца"))
    )
    assert not dictionaries.is_due(pantry.conn)  # nobody has looked at order 2 yet

    assert pantry.run().counts["staged"] == 1

    assert pantry.categories() == [("Пицца", 1), ("Суп", 2)]
    assert pantry.lacking("*") == []
    pantry.check()
    assert pantry.run().counts["asked"] == 0


def test_menu_that_goes_on_lacking_a_dish_is_asked_for_with_growing_pauses(
    pantry: Pantry,
) -> None:
    pantry.put(menu("r", DAY_1, dish("d", category="Суп")), guest("u", DAY_1))
    pantry.order(1, "d")
    pantry.run()
    pantry.order(2, "x", "y")
    pauses = []
    for _ in range(6):
        assert pantry.run().counts["asked"] == 1
        assert not dictionaries.is_due(pantry.conn)
        assert pantry.run().counts["asked"] == 0
        (pause,) = {
            pause for (pause,) in pantry.lacking("next_try_dt - tried_dt AS pause")
        }
        pauses.append(pause.total_seconds())
        pantry.make_due()
        assert dictionaries.is_due(pantry.conn)
    assert pauses == sorted(pauses)
    assert pauses[0] < pauses[2] < 60

    # The same dish in another order changes nothing in when to ask.
    before = pantry.lacking("*")
    pantry.order(3, "x", user="v")
    pantry.put(guest("v", DAY_1))
    pantry.make_due()
    pantry.run()
    assert len(pantry.lacking("*")) == len(before)
    pantry.conn.execute(
        "UPDATE ops.menu_lookups"
        " SET next_try_dt = now(), first_staged_dt = now() - interval '3 hours'"
    )
    pantry.run()
    (pause,), _ = pantry.lacking("next_try_dt - tried_dt AS pause")
    assert timedelta(minutes=1) < pause < timedelta(hours=1)

    # One of the two dishes comes.
    pantry.put(menu("r", DAY_3, dish("d", category="Суп"), dish("x", category="X")))
    assert pantry.sync().counts["staged"] == 1
    assert pantry.lacking("product_id") == [("y",)]
    assert ("X", 1) in pantry.categories()


def test_dish_that_left_the_menu_and_is_ordered_again_is_asked_for(
    pantry: Pantry,
) -> None:
    pantry.put(menu("r", DAY_1, dish("d", category="Суп")), guest("u", DAY_1))
    pantry.entries.reverse()
    pantry.order(1, "d", date=DAY_1, update_ts=DAY_1)
    pantry.run()
    pantry.put(menu("r", DAY_2, dish("another", category="Суп")))
    pantry.sync()
    assert pantry.lacking("*") == []

    pantry.order(2, "d", date=DAY_3, update_ts=DAY_3)
    assert pantry.run().counts["asked"] == 1
    assert pantry.lacking("restaurant_id, product_id, tried_cnt") == [("r", "d", 1)]
    pantry.check()


def test_news_of_a_move_that_comes_days_later_moves_the_orders_after_it(
    pantry: Pantry,
) -> None:
    pantry.put(menu("r", DAY_1, dish("d", category="Суп")), guest("u", DAY_1))
    pantry.entries.reverse()
    for number, day in enumerate((DAY_1, DAY_2, DAY_3)):
        pantry.order(number, "d", date=day, update_ts=day)
    pantry.run()
    assert pantry.categories() == [("Суп", 3)]

    # On the third day it moved a second time; the news of it comes first.
    pantry.put(menu("r", DAY_3, dish("d", category="Пицца")))
    pantry.sync()
    assert pantry.categories() == [("Пицца", 1), ("Суп", 2)]
    pantry.put(menu("r", DAY_2, dish("d", category="Выпечка")))
    outcome = pantry.sync()
    assert outcome.counts["staged"] == 1
    assert pantry.categories() == [("Выпечка", 1), ("Пицца", 1), ("Суп", 1)]
    pantry.check()

    # What is moved back at once moves nothing.
    pantry.put(menu("r", DAY_3, dish("d", category="Пицца")))
    pantry.sync()
    assert pantry.categories() == [("Выпечка", 1), ("Пицца", 1), ("Суп", 1)]


def test_move_recounts_only_the_orders_after_it(pantry: Pantry) -> None:
    pantry.put(
        menu("r", DAY_1, dish("d", category="Суп"), dish("other", category="Суп")),
        guest("u", DAY_1),
    )
    pantry.order(1, "d", date=DAY_1, update_ts=DAY_1)
    pantry.order(2, "other", date=DAY_3, update_ts=DAY_3)
    pantry.order(3, "d", "other", date=DAY_3, update_ts=DAY_3)
    pantry.order(4, "d", date=DAY_3, update_ts=DAY_3, status="CANCELLED")
    pantry.run()
    pantry.put(
        menu("r", DAY_2, dish("d", category="Пицца"), dish("other", category="Суп"))
    )
    look_up_all(pantry.settings, caller("dictionaries", "move"))

    outcomes = load(pantry.settings, "move")

    counts = outcomes[load_marts("food")["user_category_counters"].stage].counts
    assert (counts["touched_orders"], counts["new_orders"]) == (1, 1)
    assert pantry.categories() == [("Пицца", 1), ("Суп", 3)]


def test_renamed_category_is_a_move_and_renamed_dish_a_label(pantry: Pantry) -> None:
    pantry.put(menu("r", DAY_1, dish("d", "old", category="Суп")), guest("u", DAY_1))
    pantry.entries.reverse()
    pantry.order(1, "d", date=DAY_1, update_ts=DAY_1)
    pantry.order(2, "d", date=DAY_3, update_ts=DAY_3)
    pantry.run()
    pantry.put(menu("r", DAY_2, dish("d", "new", category="Супы")))
    pantry.sync()
    # A category is its name: what was counted as soup was one.
    assert pantry.categories() == [("Суп", 1), ("Супы", 1)]
    names = "SELECT product_name, order_cnt FROM cdm.user_product_counters"
    assert pantry.conn.execute(names).fetchall() == [("new", 2)]
    # A name of an older menu renames nothing.
    pantry.put(menu("r", DAY_1, dish("d", "older", category="Суп")))
    pantry.sync()
    assert pantry.conn.execute(names).fetchall() == [("new", 2)]
    pantry.check()


def test_show_tells_versions_menu_and_what_redis_says(pantry: Pantry) -> None:
    pantry.put(
        menu("r", DAY_1, dish("d", "old", category="Суп"), dish("gone", category="")),
        guest("u", DAY_1, "Ольга", login="olga"),
    )
    pantry.order(1, "d", date=DAY_1, update_ts=DAY_1)
    pantry.run()
    pantry.put(menu("r", DAY_2, dish("d", "new", category="Пицца", price=7)))
    entry = find_entry(pantry.settings, "r")
    assert entry.redis == f"has a version of {DAY_2} that is not staged yet"
    pantry.sync()

    entry = find_entry(pantry.settings, "r")

    assert entry.redis == f"has the version of {DAY_2}, which is staged"
    assert (entry.kind, entry.waiting) == ("restaurant", [])
    assert [(str(one.version_dt), one.dishes) for one in entry.versions] == [
        (DAY_2, 1),
        (DAY_1, 2),
    ]
    assert [
        (
            one.product_id,
            one.product_name,
            one.is_on_menu,
            one.category_name,
            one.from_dt and str(one.from_dt),
            one.until_dt and str(one.until_dt),
        )
        for one in entry.menu
    ] == [
        ("d", "new", True, "Суп", None, DAY_2),
        ("d", "new", True, "Пицца", DAY_2, None),
        ("gone", entry.menu[2].product_name, False, "", None, None),
    ]
    person = find_entry(pantry.settings, "u")
    assert (person.kind, person.name, person.login) == ("guest", "Ольга", "olga")

    pantry.redis.set("u", "no JSON")
    assert (
        "counts as missing: the value is not JSON"
        in find_entry(pantry.settings, "u").redis
    )
    pantry.redis.delete("u")
    assert (
        find_entry(pantry.settings, "u").redis
        == "has no such key, or one that holds no string"
    )
    with pytest.raises(NotFoundError, match="Nobody knows the id nobody"):
        find_entry(pantry.settings, "nobody")
