"""The tags: who holds which, whatever changes (contract, section 4)."""

import random
import threading
import time
from dataclasses import replace

import psycopg
import pytest

from palate.engine.outcome import Outcome
from palate.marts import refresh
from palate.marts import stage as marts
from palate.marts.definitions import load_marts
from palate.marts.mart_sql import MartSql
from palate.names import HUB_KEY_NAMESPACE
from palate.positions.watermark import watermarks
from palate.tags import stage as tags
from palate.vault import stage as vault
from tests.food import FOOD
from tests.integration.emptied import Emptied
from tests.integration.staged import (
    caller,
    load,
    set_rules,
    stage_entries,
    stage_messages,
)
from tests.model.compare import actual, assert_equal, expected
from tests.model.history import Entry, History, Message, Rule
from tests.unit.model.stories import DAY_1, DAY_2, DAY_3, dish, line, menu, raw

SOUP = Rule("category", "Суп", 2, "soup")
LOBIO = Rule("product", "Лобио", 2, "lobio")


def _long(seed: int) -> str:
    """Return a text as long as a name may be, which nothing makes shorter."""
    chosen = random.Random(seed).choices(range(0x20000, 0x2A000), k=1_000)
    return "".join(map(chr, chosen))


class Shop:
    """A warehouse to which messages, entries and rules come one after the other."""

    def __init__(self, emptied: Emptied) -> None:
        emptied.empty()
        self.conn, self.settings = emptied.conn, emptied.settings
        self._messages: list[Message] = []
        self._entries: list[Entry] = []
        self._rules: tuple[Rule, ...] = ()
        self._runs = 0

    def put(self, *messages: Message) -> None:
        first = len(self._messages)
        new = [replace(one, offset=first + n) for n, one in enumerate(messages)]
        stage_messages(self.conn, new)
        self._messages += new

    def enter(self, *entries: Entry) -> None:
        stage_entries(self.settings, entries)
        self._entries += entries

    def rule(self, *rules: Rule) -> None:
        set_rules(self.conn, rules)
        self._rules = rules

    def run(self, **settings: int) -> Outcome:
        """Run all stages once, and compare all tables with the model."""
        self._runs += 1
        changed = self.settings.model_copy(update=settings)
        outcomes = load(changed, f"run {self._runs}")
        history = History(
            tuple(self._messages), tuple(self._entries), rules=self._rules
        )
        assert_equal(expected(history), actual(self.conn))
        assert tags.differences(self.settings) == (0, [])
        return outcomes[tags.STAGE]

    def held(self) -> set[tuple[str, str]]:
        """Return who holds what, by the guests' own ids."""
        rows = self.conn.execute(
            "SELECT h.user_id, u.tag FROM cdm.user_tags AS u INNER JOIN dds.h_user AS h"
            " ON u.user_id = h.h_user_pk WHERE u.until_dt IS NULL"
        )
        return {(user, tag) for user, tag in rows}

    def holdings(self) -> list[tuple[str, bool]]:
        """Return the tag of each holding there has been, and whether it is over."""
        return self.conn.execute(
            "SELECT tag, until_dt IS NOT NULL FROM cdm.user_tags ORDER BY since_dt, tag"
        ).fetchall()


@pytest.fixture
def shop(emptied: Emptied) -> Shop:
    return Shop(emptied)


def _soups(count: int, user: str = "u", first: int = 0) -> list[Message]:
    return [
        raw(first + number, [line("d", name="Лобио")], user=user)
        for number in range(count)
    ]


def test_tag_comes_with_the_threshold_and_goes_below_it(shop: Shop) -> None:
    shop.rule(LOBIO)
    shop.put(*_soups(1))
    shop.run()
    assert shop.held() == set()

    shop.put(*_soups(1, first=1))
    shop.run()
    assert shop.held() == {("u", "lobio")}

    cancelled = raw(1, [line("d")], status="CANCELLED", update_ts=DAY_2)
    shop.put(cancelled)
    shop.run()
    assert shop.held() == set()

    # A tag that comes back is another holding.
    shop.put(*_soups(1, first=2))
    shop.run()
    assert shop.holdings() == [("lobio", True), ("lobio", False)]


def test_each_dish_of_a_name_counts_for_itself(shop: Shop) -> None:
    shop.rule(LOBIO)
    shop.put(raw(1, [line("d", name="Лобио")]), raw(2, [line("e", name="Лобио")]))
    shop.run()
    assert shop.held() == set()

    shop.put(raw(3, [line("e", name="Лобио")]))
    shop.run()
    assert shop.held() == {("u", "lobio")}


def test_longest_names_hold_up_nothing(shop: Shop) -> None:
    """An index that takes no long text would stop its stage, for good."""
    dish_name, category = _long(1), _long(2)
    shop.rule(
        Rule("product", dish_name, 1, "dish"), Rule("category", category, 1, "category")
    )
    shop.enter(menu("r", DAY_1, dish("d", dish_name, category=category), name=_long(3)))
    shop.put(raw(1, [line("d", name=dish_name)]))
    shop.run()

    assert shop.held() == {("u", "category"), ("u", "dish")}


def test_tag_that_no_index_takes_is_refused(shop: Shop) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="tag_rules_tag_is_short"):
        shop.rule(Rule("product", "Лобио", 1, _long(1)))


def test_tag_is_held_while_any_rule_gives_it(shop: Shop) -> None:
    both = replace(LOBIO, tag="soup")
    shop.enter(menu("r", DAY_1, dish("d", "Лобио", category="Суп")))
    shop.put(*_soups(2))
    shop.rule(SOUP, both)
    shop.run()
    shop.rule(both)
    shop.run()
    assert shop.holdings() == [("soup", False)]

    shop.rule()
    shop.run()
    assert shop.holdings() == [("soup", True)]


CHANGES = {
    "added": (SOUP, LOBIO),
    "lower_threshold": (replace(SOUP, threshold=1),),
    "higher_threshold": (replace(SOUP, threshold=3),),
    "switched_off": (replace(SOUP, active=False),),
    "deleted": (),
    "renamed": (replace(SOUP, name="Пицца"),),
    "of_the_other_kind": (replace(SOUP, kind="product", name="Лобио"),),
    "another_tag": (replace(SOUP, tag="Любитель супов"),),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changed_rule_is_noticed_by_the_next_run(shop: Shop, name: str) -> None:
    """Nothing else has changed meanwhile: no message, no counter."""
    shop.enter(menu("r", DAY_1, dish("d", "Лобио", category="Суп")))
    shop.put(*_soups(2), *_soups(1, user="v", first=2), *_soups(3, "w", first=3))
    shop.rule(SOUP)
    shop.run()
    assert shop.held() == {("u", "soup"), ("w", "soup")}

    shop.rule(*CHANGES[name])
    shop.run()


def test_renamed_dish_gives_and_takes_tags(shop: Shop) -> None:
    shop.rule(LOBIO, replace(LOBIO, name="Лобио!", tag="new name"))
    shop.put(*_soups(2))
    shop.run()
    shop.enter(menu("r", DAY_1, dish("d", "Лобио!")))
    shop.run()
    assert shop.holdings() == [("lobio", True), ("new name", False)]


def test_late_news_of_a_moved_dish_moves_the_tag(shop: Shop) -> None:
    shop.rule(SOUP, replace(SOUP, name="Пицца", tag="pizza"))
    shop.enter(menu("r", DAY_1, dish("d", category="Суп")))
    shop.put(
        *[raw(number, [line("d")], date=DAY_3, update_ts=DAY_3) for number in (1, 2)]
    )
    shop.run()
    assert shop.held() == {("u", "soup")}

    shop.enter(menu("r", DAY_2, dish("d", category="Пицца")))
    shop.run()
    assert shop.held() == {("u", "pizza")}


def test_only_what_a_changed_counter_concerns_is_judged(shop: Shop) -> None:
    shop.rule(LOBIO)
    for number in range(5):
        shop.put(*_soups(2, user=f"u{number}", first=2 * number))
    shop.run()
    shop.put(raw(100, [line("x", name="Борщ")]))
    assert shop.run().counts["judged"] == 0
    shop.put(*_soups(1, user="u1", first=101))
    assert shop.run().counts["judged"] == 1


def test_what_waits_is_judged_in_pieces(shop: Shop) -> None:
    for number in range(5):
        shop.put(*_soups(2, user=f"u{number}", first=2 * number))
    shop.run()
    shop.rule(LOBIO)
    outcome = shop.run(palate_chunk_positions=2)
    assert outcome.counts["gained"] == 5
    # One that takes the rule up, one that finds its guests, three pieces.
    assert outcome.batches == 5


def test_watermark_follows_the_mart_that_is_behind(shop: Shop) -> None:
    shop.put(*_soups(1))
    vault.run(shop.settings, FOOD, caller("vault"))
    first, second = load_marts("food")
    marts.run(shop.settings, first, caller(first))
    tags.run(shop.settings, caller("tags", "too early"))
    assert watermarks(shop.conn, tags.STAGE) == {}
    marts.run(shop.settings, second, caller(second))
    tags.run(shop.settings, caller("tags"))
    assert list(watermarks(shop.conn, tags.STAGE).values()) == [1]


def test_run_that_dies_loses_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.put(*_soups(2))
    shop.rule(LOBIO)
    with monkeypatch.context() as broken:
        broken.setattr(tags.tag_states, "enter_tags", _die)
        with pytest.raises(RuntimeError):
            load(shop.settings, "dies")
    assert shop.held() == set()
    shop.run()
    assert shop.held() == {("u", "lobio")}


def _die(*_: object) -> None:
    raise RuntimeError


def test_reconciliation_shows_wrong_tags_and_rebuild_mends_them(shop: Shop) -> None:
    shop.rule(LOBIO)
    shop.put(*_soups(2))
    shop.run()
    shop.conn.execute("UPDATE cdm.user_tags SET tag = 'planted'")
    number, examples = tags.differences(shop.settings)
    assert number == 2
    found = {(row["what"], row["tag"]) for row in examples}
    assert found == {("is", "planted"), ("should be", "lobio")}

    tags.rebuild(shop.settings, caller("rebuild"))
    assert shop.held() == {("u", "lobio")}


def test_cleared_task_looks_at_its_guests_again(shop: Shop) -> None:
    shop.rule(LOBIO)
    shop.put(*_soups(2))
    shop.run()
    shop.conn.execute("DELETE FROM cdm.user_tags")
    tags.run(shop.settings, caller("tags", "run 1"))
    assert shop.held() == {("u", "lobio")}


def test_rebuilt_mart_corrects_the_tags(shop: Shop) -> None:
    shop.rule(LOBIO)
    shop.put(*_soups(2))
    shop.run()
    shop.conn.execute(
        "UPDATE cdm.user_product_counters SET user_id = uuid_generate_v5(%s, 'v')",
        (HUB_KEY_NAMESPACE,),
    )
    tags.rebuild(shop.settings, caller("wrong mart"))
    assert shop.held() == set()
    marts.rebuild(shop.settings, "user_product_counters", caller("rebuild"))
    shop.run()
    assert shop.held() == {("u", "lobio")}


def test_mart_that_tells_nothing_is_seen(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted bug: the comparison must not share it."""
    statements = refresh.refresh_statements
    monkeypatch.setattr(
        refresh,
        "refresh_statements",
        lambda name, tables: [
            one for one in statements(name, tables) if one.name != "waiting_for_tags"
        ],
    )
    shop.rule(LOBIO)
    shop.run()
    shop.put(*_soups(1))
    shop.run()
    shop.put(*_soups(1, first=1))
    with pytest.raises(AssertionError, match=r"cdm\.user_tags"):
        shop.run()
    assert tags.differences(shop.settings)[0] == 1


def test_new_rule_waits_for_a_mart_that_counted_without_it(shop: Shop) -> None:
    """Else the search for its guests would miss what commits a moment later."""
    shop.put(*_soups(1))
    shop.run()
    shop.put(*_soups(1, first=1))
    vault.run(shop.settings, FOOD, caller("vault", "late"))
    dsn = shop.settings.dwh_dsn.get_secret_value()
    with psycopg.connect(dsn) as slow:
        # What a mart does last: nobody has a rule for what it has counted.
        mart = load_marts("food")["user_product_counters"]
        slow.execute(MartSql(mart).shared("keep_conditions"))
        slow.execute("UPDATE cdm.user_product_counters SET order_cnt = 2")
        shop.rule(LOBIO)
        thread = threading.Thread(
            target=tags.run, args=(shop.settings, caller("tags", "waits"))
        )
        thread.start()
        _wait_for_a_lock(shop.conn)
        slow.commit()
        thread.join()
    assert shop.held() == {("u", "lobio")}


def _wait_for_a_lock(conn: psycopg.Connection) -> None:
    deadline = time.monotonic() + 30
    while not conn.execute(
        "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname ="
        " current_database())"
    ).fetchone():
        if time.monotonic() > deadline:
            raise TimeoutError("Nobody waits for a lock.")
        time.sleep(0.02)
