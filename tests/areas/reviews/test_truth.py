"""The truth about reviews, and the messages it is asked about, before any SQL."""

from collections import Counter
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pytest

from tests.areas.reviews import corpus, messages, truth
from tests.model.history import Message


@pytest.mark.parametrize("case", corpus.cases(), ids=lambda case: case.name)
def test_truth_judges_the_corpus_as_it_says(case: corpus.Case) -> None:
    message = Message(messages.TOPIC, 0, 0, 0, corpus.BROKER_DT, case.value)
    _, refused = truth.judged([message])
    assert set(refused.values()) == set(case.expect)


def test_seed_says_what_is_sent() -> None:
    assert messages.messages(1) == messages.messages(1)
    assert messages.messages(1) != messages.messages(2)


def test_messages_do_what_senders_do() -> None:
    sent = [one for seed in range(5) for one in messages.messages(seed)]
    accepted, refused = truth.judged(sent)
    assert set(refused.values()) == {
        "own_message", "not_json", "not_a_review", "wrong_shape",
        "value_out_of_range", "version_in_future",
    }  # fmt: skip
    values = Counter(one.value for one in sent)
    assert max(values.values()) > 1, "some are sent twice"
    told = [(one.review_id, one.revision) for one in accepted]
    assert max(Counter(told).values()) > 1, "a revision may be told in two ways"
    assert told != sorted(told), "they come out of order"


def test_greatest_revision_counts_whenever_it_was_sent() -> None:
    accepted, _ = truth.judged(messages.messages(1))
    first = accepted[0]
    greater = replace(first, revision=first.revision + 9, sent_at=datetime(2000, 1, 1))
    later = replace(first, revision=first.revision + 9, stars=1)
    last = replace(later, position=(*first.position[:3], 10**9))
    assert truth.newest([greater, first]) == [greater]
    assert truth.newest([later, greater]) == [later]
    assert truth.newest([last, later]) == [last]


def test_mean_of_stars_is_exact_to_four_decimals() -> None:
    accepted, _ = truth.judged(messages.messages(1))
    written, where = datetime(2024, 2, 29), "somewhere"
    told = [
        replace(
            accepted[0],
            review_id=str(stars),
            restaurant=where,
            written_at=written,
            stars=stars,
            text=None,
        )
        for stars in (2, 3, 3 + 2)
    ]
    assert truth.months(told) == [
        (where, date(2024, 2, 1), 3, Decimal("3.3333"), None),
    ]
