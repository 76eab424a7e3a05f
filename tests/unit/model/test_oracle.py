from uuid import UUID

import pytest

from tests.model.history import Entry, History, Message
from tests.model.oracle import key
from tests.model.tables import COLUMNS, Row
from tests.unit.model.stories import (
    BROKER_DT,
    DAY_1,
    DAY_2,
    DAY_3,
    at,
    dish,
    enriched,
    entry,
    guest,
    items,
    line,
    menu,
    money,
    raw,
    tables,
)


def products(messages: list[Message], *entries: Entry) -> list[Row]:
    return tables(messages, entries)["cdm.user_product_counters"]


def categories(messages: list[Message], *entries: Entry) -> list[Row]:
    return tables(messages, entries)["cdm.user_category_counters"]


def test_hub_keys_are_those_of_other_systems() -> None:
    # As PostgreSQL's uuid_generate_v5 computes them.
    assert key("626a81ce9a8cd1920641e296") == UUID(
        "717dcaae-48c8-5858-b99f-c307b454a346"
    )
    assert (
        key(2301365) == key("2301365") == UUID("474aacf4-5b5a-57bb-b374-92aca6c5e312")
    )
    assert key("") == UUID("f91a749e-da5e-595f-81d9-62a8f140579b")


def test_nothing_in_nothing_out() -> None:
    assert tables() == {table: [] for table in COLUMNS}


def test_whole_warehouse_of_a_small_history() -> None:
    messages = [
        raw(7, [line("d", 2, "1.50", name="Лобио"), line("d"), line("e")]),
        raw(7, [line("d", 3)], offset=1, status="OPEN", update_ts=DAY_2, user="v"),
        Message("order-service_orders", 0, 1, 0, BROKER_DT, b"test"),
        enriched(
            8,
            [line("e", name="Суп дня", category="Суп")],
            user={"id": "u", "name": "Guest", "login": "g"},
            restaurant={"id": "q", "name": "Q"},
            date=DAY_3,
        ),
    ]
    entries = [
        menu("r", DAY_2, dish("d", "Лобио!", category=""), name="R"),
        guest("w", DAY_1, "W"),
        Entry("x", b"test"),
    ]
    d, e, u, v, w, r, q = map(key, ("d", "e", "u", "v", "w", "r", "q"))
    day_1, day_2, day_3 = map(at, (DAY_1, DAY_2, DAY_3))
    expected: dict[str, list[Row]] = {
        "stg.order_events": [
            (*message.position, BROKER_DT, message.value) for message in messages
        ],
        "stg.rejected_messages": [
            ("order-service_orders", 0, 1, 0, frozenset({"not_json"}))
        ],
        "stg.dictionary_entries": [
            (
                "r",
                day_2,
                '{"_id": "r", "menu": [{"_id": "d", "category": "", "name": "Лобио!",'
                ' "price": 100}], "name": "R", "update_ts_utc": "2023-08-02 10:00:00"}',
            ),
            (
                "w",
                day_1,
                '{"_id": "w", "name": "W", "update_ts_utc": "2023-08-01 10:00:00"}',
            ),
        ],
        "dds.h_user": [(u, "u"), (v, "v"), (w, "w")],
        "dds.h_restaurant": [(r, "r"), (q, "q")],
        "dds.h_product": [(d, "d"), (e, "e")],
        "dds.h_category": [(key(""), ""), (key("Суп"), "Суп")],
        "dds.h_order": [(key(7), 7, day_1), (key(8), 8, day_3)],
        "dds.l_order_user": [(key(7), u), (key(7), v), (key(8), u)],
        "dds.l_order_product": [(key(7), d), (key(7), e), (key(8), e)],
        "dds.l_order_restaurant": [(key(7), r), (key(8), q)],
        "dds.l_product_restaurant": [(d, r), (e, r), (e, q)],
        "dds.l_product_category": [(d, key("")), (e, key("Суп"))],
        "dds.s_user_names": [(u, day_3, "Guest", "g"), (w, day_1, "W", None)],
        "dds.s_restaurant_names": [(r, day_2, "R"), (q, day_3, "Q")],
        "dds.s_product_names": [(d, day_2, "Лобио!")],
        "dds.s_order_cost": [
            (key(7), day_1, 100, 90),
            (key(7), day_2, 100, 90),
            (key(8), day_3, 100, 90),
        ],
        "dds.s_order_status": [
            (key(7), day_1, "CLOSED"),
            (key(7), day_2, "OPEN"),
            (key(8), day_3, "CLOSED"),
        ],
        "dds.v_order": [
            (key(7), 7, day_1, "v", "r", "OPEN", 100, 90, day_2),
            (key(8), 8, day_3, "u", "q", "CLOSED", 100, 90, day_3),
        ],
        "dds.v_order_item": [
            (key(7), 7, "d", "Лобио!", "", 3, 100),
            (key(8), 8, "e", "Суп дня", "Суп", 1, 100),
        ],
        "cdm.user_product_counters": [(u, e, "Суп дня", 1, 1, 100)],
        "cdm.user_category_counters": [(u, key("Суп"), "Суп", 1, 1, 100)],
        "cdm.user_tags": [],
    }
    found = tables(messages, entries)
    assert found.keys() == expected.keys()
    for table, rows in expected.items():
        assert sorted(found[table], key=str) == sorted(rows, key=str), table


def test_counters_count_orders_pieces_and_money() -> None:
    messages = [
        raw(1, [line("d", 2, "1.5"), line("d", 3, "2"), line("e", 1, "10")]),
        raw(2, [line("d", 1, "0.00001")], offset=1),
    ]
    soups = menu("r", DAY_1, dish("d", category="Суп"), dish("e", category="Суп"))
    assert products(messages, soups) == sorted(
        [
            (key("u"), key("d"), "dish", 2, 6, money("9.00001")),
            (key("u"), key("e"), "dish", 1, 1, money("10")),
        ]
    )
    # An order with two dishes of one category counts once.
    assert categories(messages, soups) == [
        (key("u"), key("Суп"), "Суп", 2, 7, money("19.00001"))
    ]


def test_only_closed_orders_count() -> None:
    lines = [line("d")]
    for status in ("OPEN", "CANCELLED", "closed", "CLOSED ", "DELIVERING"):
        assert products([raw(1, lines, status=status)]) == []


def test_cancelled_order_is_taken_out_again() -> None:
    closed = raw(1, [line("d")])
    cancelled = raw(1, [line("d")], offset=1, status="CANCELLED", update_ts=DAY_2)
    assert products([closed, cancelled]) == []
    assert products([cancelled, closed]) == []


def test_newest_version_counts_whole() -> None:
    older = raw(1, [line("d"), line("e")])
    newer = raw(1, [line("e", 5)], offset=1, user="v", update_ts=DAY_2)
    assert products([older, newer]) == [(key("v"), key("e"), None, 1, 5, 500)]


def test_same_bytes_again_count_once() -> None:
    first, again = raw(1, [line("d")]), raw(1, [line("d")], offset=5)
    assert products([first, again]) == products([first])


def test_refused_message_leaves_nothing_behind() -> None:
    half_good = raw(1, [line("d"), line("e", 0)], user="ghost")
    found = tables([half_good])
    assert [t for t, rows in found.items() if rows] == [
        "stg.order_events",
        "stg.rejected_messages",
    ]


def test_order_dt_is_the_smallest_date_of_any_version() -> None:
    newest = raw(1, [line("d")], date=DAY_3, update_ts=DAY_3)
    older = raw(1, [line("d")], offset=1, date=DAY_1, update_ts=DAY_1)
    moved = [
        menu("r", DAY_1, dish("d", category="then")),
        menu("r", DAY_2, dish("d", category="now")),
    ]
    found = tables([newest, older], moved)
    assert found["dds.h_order"] == [(key(1), 1, at(DAY_1))]
    # The newest version's line counts in the category of the older one's date.
    assert items(found) == [(1, "d", "dish", "then", 1, 100)]


def test_line_of_the_enriched_form_names_its_category() -> None:
    lines = [line("d", category="own"), line("d", category=""), line("d")]
    menus = menu("r", DAY_1, dish("d", category="menu"))
    found = tables([enriched(1, lines)], [menus])
    assert [item[3] for item in items(found)] == ["", "menu", "own"]
    assert [row[2:4] for row in found["cdm.user_category_counters"]] == (
        [(name, 1) for name in sorted(["", "menu", "own"], key=key)]
    )


def test_dish_without_category_is_in_no_category_row() -> None:
    messages = [raw(1, [line("d")])]
    assert categories(messages) == []
    assert len(products(messages)) == 1


@pytest.mark.parametrize("has_menu", [False, True])
def test_name_is_the_menus_else_the_newest_orders(has_menu: bool) -> None:
    messages = [
        raw(1, [line("d", name="old")]),
        raw(1, [line("x")], offset=1, update_ts=DAY_2),
        raw(2, [line("d", name="first"), line("d", name="last"), line("d")], offset=2),
        raw(3, [line("d")], offset=3, update_ts=DAY_3),
        raw(4, [line("d", name="refused")], offset=4, cost="-1", update_ts=DAY_3),
    ]
    menus = [menu("r", DAY_1, dish("d", "menu"))] if has_menu else []
    found = tables(messages, menus)
    # Version 3 has the dish without naming it; of version 2 the last name counts.
    assert {item[2] for item in items(found) if item[1] == "d"} == {
        "menu" if has_menu else "last"
    }
    assert {item[2] for item in items(found) if item[1] == "x"} == {None}


def test_superseded_version_may_still_name_a_dish() -> None:
    messages = [
        raw(1, [line("d", name="named")], update_ts=DAY_2),
        raw(1, [line("x")], offset=1, update_ts=DAY_3),
        raw(2, [line("d")], offset=2),
    ]
    assert (2, "d", "named", None, 1, 100) in items(tables(messages))


def test_order_without_dishes_is_an_order() -> None:
    found = tables([raw(1)])
    assert len(found["dds.v_order"]) == 1
    assert found["dds.v_order_item"] == []


def test_both_contents_of_one_time_are_kept() -> None:
    entries = [guest("u", DAY_1, "A"), guest("u", DAY_1, "B"), guest("u", DAY_1, "A")]
    found = tables(entries=entries)
    assert len(found["stg.dictionary_entries"]) == 2
    assert [row[2] for row in found["dds.s_user_names"]] == ["A", "B"]


def test_names_in_orders_need_a_name() -> None:
    messages = [
        enriched(1, user={"id": "u", "login": "no name"}),
        enriched(2, offset=1, user={"id": "v", "name": ""}),
    ]
    found = tables(messages)
    assert found["dds.s_user_names"] == [(key("v"), at(DAY_1), "", None)]


def test_key_may_be_a_guest_at_one_time_and_a_restaurant_at_another() -> None:
    found = tables(
        entries=[guest("x", DAY_1), entry("x", name="X", update_ts_utc=DAY_2, menu=[])]
    )
    assert found["dds.h_user"] == found["dds.h_restaurant"] == [(key("x"), "x")]


def test_position_can_be_taken_only_once() -> None:
    with pytest.raises(ValueError, match="Two messages"):
        History((raw(1), raw(2)))


def test_topic_needs_a_form() -> None:
    with pytest.raises(ValueError, match="which form"):
        History((raw(1, topic="unknown"),))
