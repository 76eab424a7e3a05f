"""Small histories that random ones hardly meet."""

from dataclasses import dataclass

from tests.model.history import Entry, Message
from tests.unit.model.stories import (
    DAY_1,
    DAY_2,
    DAY_3,
    dish,
    enriched,
    entry,
    guest,
    line,
    menu,
    raw,
)

LINE = line("d", name="Лобио", category="Суп")


@dataclass(frozen=True)
class Story:
    """What is special about a few messages and entries.

    Each message is on a partition of its own, so that any may come first; the order
    of the entries is part of the story.
    """

    why: str
    messages: tuple[Message, ...] = ()
    entries: tuple[Entry, ...] = ()


STORIES = {
    "same_lines_in_both_forms": Story(
        "only the enriched form's lines have a category, though the texts are equal",
        (raw(1, [LINE], user="u1"), enriched(1, [LINE])),
    ),
    "same_version_with_other_statuses": Story(
        "all but the position ties: the later position is the newest",
        (raw(1, [LINE], status="CLOSED"), raw(1, [LINE], status="CANCELLED")),
    ),
    "no_lines_after_lines": Story(
        "a newest version without dishes takes the older one's out",
        (raw(1, [LINE]), raw(1, update_ts=DAY_2)),
    ),
    "late_older_version_with_an_earlier_date": Story(
        "it moves order_dt, and with it the category",
        (
            raw(1, [line("d")], date=DAY_3, update_ts=DAY_3),
            raw(1, [line("x")], date=DAY_1, update_ts=DAY_1),
        ),
        (
            menu("r", DAY_1, dish("d", category="Суп")),
            menu("r", DAY_2, dish("d", category="Пицца")),
        ),
    ),
    "cancelled_after_order_dt_moved": Story(
        "taken out of the category that it was counted in last",
        (
            raw(1, [line("d")], date=DAY_3, update_ts=DAY_2),
            raw(1, [line("x")], date=DAY_1, update_ts=DAY_1),
            raw(1, [line("d")], date=DAY_3, update_ts=DAY_3, status="CANCELLED"),
        ),
        (
            menu("r", DAY_1, dish("d", category="Суп")),
            menu("r", DAY_2, dish("d", category="Пицца")),
        ),
    ),
    "changed_guest": Story(
        "the newest version counts whole, its guest too",
        (raw(1, [LINE], user="u1"), raw(1, [LINE], user="u2", update_ts=DAY_2)),
    ),
    "closed_cancelled_closed": Story(
        "taken out, and put in again, with other dishes",
        (
            raw(1, [line("a")], update_ts=DAY_1),
            raw(1, [line("a")], update_ts=DAY_2, status="CANCELLED"),
            raw(1, [line("b", quantity=3)], update_ts=DAY_3),
        ),
    ),
    "amount_of_nothing": Story(
        "an order of free dishes counts as an order",
        (raw(1, [line("d", price="0")]), raw(2, [line("d", price="0")])),
    ),
    "equal_sums_of_other_orders": Story(
        "the pieces move from one order to another, the sums stay",
        (
            raw(1, [line("d", quantity=2)], update_ts=DAY_1),
            raw(2, [line("d", quantity=1)], update_ts=DAY_1),
            raw(1, [line("d", quantity=1)], update_ts=DAY_2),
            raw(2, [line("d", quantity=2)], update_ts=DAY_2),
        ),
    ),
    "name_from_orders_then_from_a_menu": Story(
        "a dish's name is the menu's as soon as one has it",
        (
            raw(1, [line("d", name="old")], update_ts=DAY_1),
            raw(2, [line("d", name="new")], update_ts=DAY_2),
            raw(3, [line("d", name=None)], update_ts=DAY_3),
        ),
        (menu("r", DAY_1, dish("other")), menu("r", DAY_2, dish("d", "the menu's"))),
    ),
    "two_contents_of_one_menu": Story(
        "the one staged later counts, as a whole: it has lost a dish",
        (raw(1, [line("a"), line("b")]),),
        (
            menu("r", DAY_1, dish("a", "A", category="1"), dish("b", category="1")),
            menu("r", DAY_1, dish("a", "AA", category="2")),
        ),
    ),
    "menu_that_becomes_a_guest": Story(
        "of two contents of one time the one staged later counts, whatever it is",
        (raw(1, [line("d")]),),
        (menu("r", DAY_1, dish("d", category="Суп")), guest("r", DAY_1)),
    ),
    "menu_that_is_no_list": Story(
        "an entry whose menu is no list has no dishes",
        (raw(1, [line("d")]),),
        (
            menu("r", DAY_1, dish("d", category="Суп")),
            entry("r", name="R", update_ts_utc=DAY_1, menu={}),
        ),
    ),
    "menus_of_one_time": Story(
        "the greater restaurant id by bytes counts",
        (raw(1, [line("d")]),),
        (
            menu("é", DAY_1, dish("d", "é", category="é")),
            menu("a", DAY_1, dish("d", "a", category="a")),
            menu("B", DAY_1, dish("d", "B", category="B")),
        ),
    ),
    "dish_that_left_the_menu": Story(
        "it keeps what it last had",
        (raw(1, [line("d")], date=DAY_3, update_ts=DAY_3),),
        (
            menu("r", DAY_1, dish("d", "D", category="Суп")),
            menu("r", DAY_2, dish("other")),
        ),
    ),
    "moved_dish": Story(
        "old orders keep the old category, new ones have the new one",
        (
            raw(1, [line("d")], date=DAY_1, update_ts=DAY_3),
            raw(2, [line("d")], date=DAY_2, update_ts=DAY_3),
        ),
        (
            menu("r", DAY_1, dish("d", category="Суп")),
            menu("r", DAY_2, dish("d", "renamed", category="")),
        ),
    ),
}
