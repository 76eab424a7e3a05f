"""Histories that random ones hardly meet, in several orders of arrival."""

from dataclasses import replace
from itertools import permutations

import pytest

from tests.integration.emptied import Emptied
from tests.integration.staged import load, stage_entries, stage_messages
from tests.integration.ties import STORIES
from tests.model.compare import actual, assert_equal, expected
from tests.model.history import History

MOST_ORDERS = 8
ENTRY = -1  # stands for the next entry; a message has its number


@pytest.mark.parametrize("name", STORIES)
def test_order_of_arrival_changes_nothing(emptied: Emptied, name: str) -> None:
    story = STORIES[name]
    messages = [
        replace(message, partition=number)
        for number, message in enumerate(story.messages)
    ]
    history = History(tuple(messages), story.entries)
    for order in _orders(len(messages), len(story.entries)):
        emptied.empty()
        entries = iter(story.entries)
        for step, number in enumerate(order):
            if number == ENTRY:
                stage_entries(emptied.settings, [next(entries)])
            else:
                stage_messages(emptied.conn, [messages[number]])
            load(emptied.settings, f"run {step}")

        try:
            assert_equal(expected(history), actual(emptied.conn))
        except AssertionError as error:
            error.add_note(f"In the order {order}: {story.why}.")
            raise


def _orders(messages: int, entries: int) -> list[tuple[int, ...]]:
    """Return some orders of arrival, the first and the last among them."""
    found = sorted(set(permutations([*range(messages), *[ENTRY] * entries])))
    step = max((len(found) - 1) / (MOST_ORDERS - 1), 1)
    return [found[round(at * step)] for at in range(min(len(found), MOST_ORDERS))]
