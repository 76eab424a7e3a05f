from typing import Any

import pytest

from tests.model.dictionary import (
    menu_category,
    menu_name,
    read_entry,
    usable_entries,
)
from tests.model.history import Entry
from tests.unit.model.stories import (
    DAY_1,
    DAY_2,
    DAY_3,
    DAY_4,
    at,
    dish,
    entry,
    guest,
    menu,
)

LONG = "x" * 1_000


def category(entries: list[Entry], time: str, product_id: str = "d") -> str | None:
    return menu_category(usable_entries(entries), product_id, at(time))


@pytest.mark.parametrize(
    "unusable",
    [
        pytest.param(Entry("u", b""), id="nothing"),
        pytest.param(Entry("u", b"test"), id="no JSON"),
        pytest.param(Entry("u", b"\xff"), id="no UTF-8"),
        pytest.param(Entry("u", b"[]"), id="no object"),
        pytest.param(Entry("u", b"null"), id="null"),
        pytest.param(entry("u", _id="v", name="n", update_ts_utc=DAY_1), id="other id"),
        pytest.param(entry("1", _id=1, name="n", update_ts_utc=DAY_1), id="number id"),
        pytest.param(entry("u", _id="U", name="n", update_ts_utc=DAY_1), id="case"),
        pytest.param(entry("u" * 101, name="n", update_ts_utc=DAY_1), id="long id"),
        pytest.param(entry("", name="n", update_ts_utc=DAY_1), id="empty id"),
        pytest.param(entry("u", update_ts_utc=DAY_1), id="no name"),
        pytest.param(entry("u", name=None, update_ts_utc=DAY_1), id="null name"),
        pytest.param(entry("u", name=5, update_ts_utc=DAY_1), id="number name"),
        pytest.param(entry("u", name=LONG + "x", update_ts_utc=DAY_1), id="long name"),
        pytest.param(entry("u", name="n"), id="no time"),
        pytest.param(entry("u", name="n", update_ts_utc=None), id="null time"),
        pytest.param(entry("u", name="n", update_ts_utc=1), id="number time"),
        pytest.param(guest("u", "2023-02-30 00:00:00"), id="no such day"),
        pytest.param(guest("u", "2023-08-01T10:00:00"), id="other form of time"),
        pytest.param(guest("u", "2023-08-01 24:00:00"), id="no such hour"),
    ],
)
def test_unusable_entry_counts_as_missing(unusable: Entry) -> None:
    assert read_entry(unusable) is None


@pytest.mark.parametrize(
    "usable",
    [
        guest("u" * 100, DAY_1, LONG),
        guest("u", DAY_1, ""),
        guest("u", "9999-12-31 23:59:59"),
        guest("u", DAY_1, extra={"a": [1]}),
        menu("r", DAY_1),
    ],
)
def test_usable_entry(usable: Entry) -> None:
    assert read_entry(usable) is not None


@pytest.mark.parametrize("login", [None, 5, ["x"], LONG + "x"])
def test_unusable_login_is_none_and_spoils_nothing(login: object) -> None:
    read = read_entry(guest("u", DAY_1, login=login))
    assert read is not None
    assert (read.name, read.login) == ("Guest", None)


@pytest.mark.parametrize("odd", [None, {}, "x", 0])
def test_entry_whose_menu_is_no_list_is_a_guests(odd: object) -> None:
    read = read_entry(entry("u", name="n", update_ts_utc=DAY_1, menu=odd))
    assert read is not None
    assert read.menu is None


def test_unusable_menu_lines_are_skipped() -> None:
    read = read_entry(
        menu(
            "r",
            DAY_1,
            *[7, None, [], {}, {"_id": "d"}, {"name": "n"}],
            *[dish(""), dish("d" * 101), dish("d", "x" * 1_001)],
            {"_id": 5, "name": "n"},
            {"_id": "d", "name": None},
            dish("good", ""),
            {"_id": "no price", "name": "n"},
        )
    )
    assert read is not None
    assert read.menu is not None
    assert [one.product_id for one in read.menu] == ["good", "no price"]


def test_equal_entry_is_kept_once_where_it_was_first() -> None:
    first, other = menu("r", DAY_1, dish("d", "A")), menu("r", DAY_1, dish("d", "B"))
    spelled = Entry("r", first.value.replace(b"100", b"1e2").replace(b" ", b""))
    kept = usable_entries([first, other, first, spelled])
    assert [one.menu[0].name for one in kept if one.menu] == ["A", "B"]
    assert menu_name(kept, "d") == "B"


def test_newest_menu_that_has_the_dish_names_it() -> None:
    entries = usable_entries(
        [
            menu("r", DAY_2, dish("d", "new")),
            menu("r", DAY_1, dish("d", "old")),
            menu("r", DAY_3, dish("other")),
        ]
    )
    assert menu_name(entries, "d") == "new"
    assert menu_name(entries, "unknown") is None


def test_category_follows_the_time_of_the_order() -> None:
    entries = [
        menu("r", DAY_2, dish("d", category="Суп")),
        menu("r", DAY_3, dish("d", category="Пицца")),
    ]
    assert category(entries, DAY_1) == "Суп"  # before the first known, the first
    assert category(entries, DAY_2) == "Суп"  # update_ts_utc <= order_dt
    assert category(entries, "2023-08-03 09:59:59") == "Суп"
    assert category(entries, DAY_3) == "Пицца"
    assert category(entries, DAY_4) == "Пицца"
    assert category(entries, DAY_4, "unknown") is None


def test_empty_text_is_a_category() -> None:
    entries = [menu("r", DAY_1, dish("d", category=""))]
    assert category(entries, DAY_2) == ""


def test_dish_that_left_the_menu_keeps_its_category() -> None:
    entries = [menu("r", DAY_1, dish("d", category="Суп")), menu("r", DAY_2)]
    assert category(entries, DAY_3) == "Суп"


@pytest.mark.parametrize(
    "without", [{}, {"category": None}, {"category": 5}, {"category": LONG + "x"}]
)
def test_line_without_category_gives_none_from_then_on(
    without: dict[str, Any],
) -> None:
    entries = [
        menu("r", DAY_2, dish("d", category="Суп")),
        menu("r", DAY_3, dish("d", **without)),
        menu("r", DAY_4, dish("d", category="Пицца")),
    ]
    assert category(entries, DAY_2) == "Суп"
    assert category(entries, DAY_3) is None
    assert category(entries, DAY_4) == "Пицца"


def test_first_known_entry_may_give_no_category() -> None:
    entries = [
        menu("r", DAY_2, dish("d")),
        menu("r", DAY_3, dish("d", category="Суп")),
    ]
    assert category(entries, DAY_1) is None


@pytest.mark.parametrize("turned", [False, True])
def test_greater_restaurant_id_by_bytes_counts_at_one_time(turned: bool) -> None:
    entries = [
        menu("B", DAY_1, dish("d", "of B", category="B"), dish("only B", category="B")),
        menu("a", DAY_1, dish("d", "of a", category="a")),
    ]
    if turned:
        entries.reverse()
    assert category(entries, DAY_1) == "a"
    assert category(entries, "2023-07-01 00:00:00") == "a"
    assert category(entries, DAY_1, "only B") == "B"
    assert menu_name(usable_entries(entries), "d") == "of a"


def test_greater_restaurant_counts_even_without_a_category() -> None:
    entries = [
        menu("r1", DAY_1, dish("d", category="Суп")),
        menu("r2", DAY_1, dish("d")),
    ]
    assert category(entries, DAY_1) is None


def test_last_usable_line_of_a_menu_counts() -> None:
    entries = [
        menu(
            "r",
            DAY_1,
            dish("d", "first", category="Суп"),
            dish("d", "last", category="Пицца"),
            {"_id": "d", "category": "no name"},
        )
    ]
    assert category(entries, DAY_1) == "Пицца"
    assert menu_name(usable_entries(entries), "d") == "last"


def test_entry_staged_later_counts_as_a_whole() -> None:
    first = menu("r", DAY_1, dish("d", "old", category="Суп"), dish("e", "gone"))
    later = menu("r", DAY_1, dish("d", "new", category="Пицца"))
    entries = [first, later]
    assert category(entries, DAY_1) == "Пицца"
    assert menu_name(usable_entries(entries), "d") == "new"
    assert menu_name(usable_entries(entries), "e") is None


def test_guests_entry_at_the_same_time_takes_the_menu_away() -> None:
    # "Of two contents with one update_ts_utc [...] the one staged later counts."
    entries = [menu("r", DAY_1, dish("d", category="Суп")), guest("r", DAY_1)]
    assert category(entries, DAY_1) is None
