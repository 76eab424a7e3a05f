from decimal import Decimal
from itertools import permutations

import pytest

from palate.simulate.model import Position, Version
from palate.simulate.truth import (
    CategoryCounter,
    ProductCounter,
    TagRule,
    Truth,
    held_tags,
)
from tests.unit.simulate.orders import (
    DAY_1,
    DAY_2,
    DAY_3,
    DAY_4,
    ENRICHED,
    RAW,
    categories,
    key,
    line,
    menu,
    products,
    truth,
    version,
)


def test_ids_of_the_marts_are_hub_keys():
    known = truth(version(line()), menu(DAY_1, ("lobio", "Лобио", "Закуски")))
    assert known.product_counters() == [
        (key("olga"), key("lobio"), "Лобио", 1, 1, Decimal(350))
    ]
    assert known.category_counters() == [
        (key("olga"), key("Закуски"), "Закуски", 1, 1, Decimal(350))
    ]


def test_orders_of_one_user_add_up_and_users_stay_apart():
    known = truth(
        version(line(quantity=2), order_id=1),
        version(line(price=400), order_id=2),
        version(line(quantity=5), order_id=3, user="ivan"),
    )
    assert products(known) == [
        ("ivan", "lobio", "Лобио", 1, 5, Decimal(1750)),
        ("olga", "lobio", "Лобио", 2, 3, Decimal(1100)),
    ]


def test_dish_twice_in_one_order_adds_pieces_but_counts_one_order():
    known = truth(version(line(quantity=2), line(price=300, quantity=1)))
    assert products(known) == [("olga", "lobio", "Лобио", 1, 3, Decimal(1000))]


def test_fractions_of_money_are_exact():
    known = truth(version(*[line(price=Decimal("0.1"), quantity=3)] * 3))
    assert products(known) == [("olga", "lobio", "Лобио", 1, 9, Decimal("0.9"))]


def test_only_closed_orders_count():
    open_, cancelled = (
        version(line(), order_id=number, status=status)
        for number, status in enumerate(("OPEN", "CANCELLED"))
    )
    assert products(truth(open_, cancelled)) == []


def test_newest_version_counts_whole_in_whatever_order_they_come():
    versions = [
        version(line(), at=DAY_1, status="OPEN"),
        version(line(quantity=9), at=DAY_2),
        version(line("latte", name="Латте", quantity=2), at=DAY_3, user="ivan"),
    ]
    for order in permutations(versions):
        assert products(truth(*order)) == [
            ("ivan", "latte", "Латте", 1, 2, Decimal(700))
        ]


def test_order_cancelled_after_it_was_closed_is_taken_out():
    closed = version(line(), at=DAY_1)
    cancelled = version(line(), at=DAY_2, status="CANCELLED")
    assert products(truth(closed, cancelled)) == []
    assert products(truth(cancelled, closed)) == []


def test_exact_duplicate_changes_nothing():
    once = version(line())
    assert products(truth(once, once)) == products(truth(once))


def _tied(pieces: int, sent: str | None) -> Version:
    return version(line(quantity=pieces), sent=sent)


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (
            (DAY_1, 9, (RAW, 2, 9)),
            (DAY_2, 1, (RAW, 0, 0)),
            "the later sent_dttm comes before all else",
        ),
        (
            (None, 9, (RAW, 2, 9)),
            (DAY_1, 1, (RAW, 0, 0)),
            "no sent_dttm is the earliest",
        ),
        (
            (DAY_1, 1, (RAW, 2, 9)),
            (DAY_1, 2, (RAW, 0, 0)),
            "then the later broker time",
        ),
        (
            (DAY_1, 1, (RAW, 2, 9)),
            (DAY_1, 1, (ENRICHED, 0, 0)),
            "then the greater topic",
        ),
        (
            (DAY_1, 1, (RAW, 0, 9)),
            (DAY_1, 1, (RAW, 1, 0)),
            "then the greater partition",
        ),
        (
            (DAY_1, 1, (RAW, 0, 9)),
            (DAY_1, 1, (RAW, 0, 10)),
            "then the greater offset, as a number",
        ),
    ],
)
def test_tie_goes_to_the_second(first, second, why):
    told = [(pieces, one) for pieces, one in enumerate((first, second), 1)]
    for order in (told, told[::-1]):
        known = Truth()
        for pieces, (sent, broker_ms, position) in order:
            known.add_message(_tied(pieces, sent), Position(*position), broker_ms)
        assert products(known) == [("olga", "lobio", "Лобио", 1, 2, Decimal(700))], why


MOVED = (
    menu(DAY_2, ("lobio", "Лобио", "Закуски")),
    menu(DAY_4, ("lobio", "Лобио", "Супы")),
)


@pytest.mark.parametrize(
    ("date", "category", "why"),
    [
        (DAY_1, "Закуски", "before the first entry the first one counts"),
        (DAY_2, "Закуски", "an entry counts from its own second on"),
        (DAY_3, "Закуски", "the latest entry until then"),
        ("2023-08-04 09:59:59", "Закуски", "a second before the move"),
        (DAY_4, "Супы", "from the move on"),
    ],
)
def test_category_is_that_of_the_order_date(date, category, why):
    known = truth(version(line(), at=DAY_4, date=date), *MOVED)
    assert [row[1] for row in categories(known)] == [category], why


def test_order_date_is_the_smallest_of_all_versions():
    newest = version(line(), at=DAY_4, date=DAY_4)
    older = version(line(), at=DAY_3, date=DAY_3, status="OPEN")
    for order in ((newest, older), (older, newest)):
        known = truth(*order, *MOVED)
        assert categories(known) == [("olga", "Закуски", 1, 1, Decimal(350))]


def test_two_dishes_of_a_category_count_one_order():
    known = truth(
        version(line(), line("latte", price=200, quantity=2)),
        menu(DAY_1, ("lobio", "Лобио", ""), ("latte", "Латте", "")),
    )
    assert known.category_counters() == [(key("olga"), key(""), "", 1, 3, Decimal(750))]


def test_dish_without_a_known_category_is_in_no_category():
    assert categories(truth(version(line()))) == []


def test_dish_that_left_its_menu_keeps_what_it_had():
    known = truth(
        version(line(name="Иначе"), at=DAY_4, date=DAY_4),
        menu(DAY_1, ("lobio", "Лобио", "Закуски")),
        menu(DAY_3, ("latte", "Латте", "Напитки")),
    )
    assert categories(known) == [("olga", "Закуски", 1, 1, Decimal(350))]
    assert products(known) == [("olga", "lobio", "Лобио", 1, 1, Decimal(350))]


def test_menu_line_without_a_category_takes_the_category_away():
    known = truth(
        version(line(), date=DAY_3),
        menu(DAY_1, ("lobio", "Лобио", "Закуски")),
        menu(DAY_2, ("lobio", "Лобио", None)),
    )
    assert categories(known) == []


def test_of_two_menus_of_one_time_the_greater_restaurant_counts():
    lesser = menu(DAY_1, ("lobio", "Лобио А", "Закуски"), restaurant="a")
    greater = menu(DAY_1, ("lobio", "Лобио Б", "Супы"), restaurant="b")
    for order in ((lesser, greater), (greater, lesser)):
        known = truth(version(line()), *order)
        assert categories(known) == [("olga", "Супы", 1, 1, Decimal(350))]
        assert products(known) == [("olga", "lobio", "Лобио Б", 1, 1, Decimal(350))]


def test_dish_twice_in_a_menu_has_its_last_line():
    entry = menu(DAY_1, ("lobio", "Раз", "Супы"), ("lobio", "Два", "Закуски"))
    known = truth(version(line()), entry)
    assert products(known) == [("olga", "lobio", "Два", 1, 1, Decimal(350))]
    assert categories(known) == [("olga", "Закуски", 1, 1, Decimal(350))]


def test_own_category_of_a_line_comes_before_the_menus():
    known = truth(
        version(line(category=""), line("latte")),
        menu(DAY_1, ("lobio", "Лобио", "Закуски"), ("latte", "Латте", "Напитки")),
    )
    assert categories(known) == [
        ("olga", "", 1, 1, Decimal(350)),
        ("olga", "Напитки", 1, 1, Decimal(350)),
    ]


def test_renamed_dish_has_the_name_of_the_newest_menu():
    known = truth(
        version(line(name="Лобио, которое новее всех меню"), at=DAY_4),
        menu(DAY_3, ("lobio", "Лобио новое", None)),
        menu(DAY_2, ("lobio", "Лобио старое", None)),
    )
    assert products(known) == [("olga", "lobio", "Лобио новое", 1, 1, Decimal(350))]


def test_dish_on_no_menu_has_the_name_of_the_newest_version_that_names_it():
    versions = [
        version(line(), order_id=1, at=DAY_1),
        version(line(name="Из отменённого"), order_id=2, at=DAY_2, status="CANCELLED"),
        version(line(name=None), order_id=3, at=DAY_3),
    ]
    for order in permutations(versions):
        assert products(truth(*order)) == [
            ("olga", "lobio", "Из отменённого", 2, 2, Decimal(700))
        ]


def test_of_two_names_in_one_version_the_last_line_counts():
    known = truth(version(line(name="Раз"), line(name="Два")))
    assert products(known) == [("olga", "lobio", "Два", 1, 2, Decimal(700))]


def test_name_that_nobody_knows_is_none():
    known = truth(version(line(name=None)))
    assert known.product_counters()[0].product_name is None


def test_order_without_dishes_counts_nothing():
    assert products(truth(version())) == []


def test_refused_messages_are_counted_by_reason():
    known = Truth()
    for offset, reason in enumerate(["not_json", "wrong_shape", "not_json"]):
        known.add_refused(reason, Position(RAW, 0, offset))
    assert known.rejected() == {"not_json": 2, "wrong_shape": 1}
    assert known.refused[Position(RAW, 0, 1)] == "wrong_shape"


def test_positions_that_were_sent_are_known():
    known = truth(version(line(), order_id=1), version(line(), order_id=2))
    assert {place: list(offsets) for place, offsets in known.sent().items()} == {
        (RAW, 0): [0, 1]
    }
    assert known.has_sent(Position(RAW, 0, 1))
    assert not known.has_sent(Position(RAW, 0, 2))
    assert not known.has_sent(Position(RAW, 1, 0))


def test_tags_are_held_from_the_threshold_on_by_any_rule() -> None:
    user, other, thing = key("u"), key("v"), key("d")
    products = [
        ProductCounter(user, thing, "Лобио", 2, 2, Decimal(1)),
        # The same name, another dish: each counts for itself.
        ProductCounter(user, key("e"), "Лобио", 2, 2, Decimal(1)),
        ProductCounter(other, thing, "Лобио", 3, 3, Decimal(1)),
    ]
    categories = [CategoryCounter(user, key("Суп"), "Суп", 5, 5, Decimal(1))]
    rules = [
        TagRule("product", "Лобио", 3, "лобио"),
        TagRule("product", "Суп", 1, "суп"),
        TagRule("category", "Суп", 5, "суп или лобио"),
        TagRule("product", "Лобио", 3, "суп или лобио"),
    ]

    assert held_tags(rules, products, categories) == {
        (other, "лобио"),
        (user, "суп или лобио"),
        (other, "суп или лобио"),
    }
    assert held_tags([], products, categories) == set()
