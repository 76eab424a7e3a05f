from dataclasses import replace
from datetime import timedelta

import pytest

from tests.model.history import ENRICHED_TOPIC, RAW_TOPIC, History, Message
from tests.model.oracle import warehouse
from tests.unit.model.stories import (
    BROKER_DT,
    DAY_1,
    DAY_2,
    DAY_3,
    accepted,
    enriched,
    line,
    raw,
)

LATER = BROKER_DT + timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        pytest.param(
            raw(1, update_ts=DAY_1, sent_dttm=DAY_3, broker_dt=LATER, offset=9),
            raw(1, update_ts=DAY_2),
            id="the greatest update_ts, whatever else",
        ),
        pytest.param(
            raw(1, sent_dttm=DAY_1, broker_dt=LATER, offset=9),
            raw(1, sent_dttm=DAY_2),
            id="then the later sent_dttm",
        ),
        pytest.param(
            raw(1, sent_dttm=None, broker_dt=LATER, offset=9),
            raw(1, sent_dttm="0001-01-01 00:00:00"),
            id="no sent_dttm is the earliest",
        ),
        pytest.param(
            raw(1, partition=1, offset=9),
            raw(1, broker_dt=LATER),
            id="then the later broker time",
        ),
        pytest.param(
            raw(1, partition=0, offset=9),
            raw(1, partition=1, offset=0),
            id="then the greater partition",
        ),
        pytest.param(raw(1, offset=9), raw(1, offset=10), id="then the greater offset"),
        pytest.param(
            raw(1, epoch=1, partition=0, offset=9),
            raw(1, epoch=0, partition=1, offset=0),
            id="the contract doesn't name the epoch in the rank",
        ),
        pytest.param(
            raw(1, epoch=0), raw(1, epoch=1), id="the epoch last, if nothing else"
        ),
        pytest.param(
            raw(1, partition=1, offset=9),
            enriched(1, date=DAY_1),
            id="topics compare first of the position",
        ),
    ],
)
def test_newer_version_has_the_greater_rank(older: Message, newer: Message) -> None:
    assert accepted(older).rank < accepted(newer).rank


def test_topics_compare_by_bytes() -> None:
    one, other = (
        replace(accepted(raw(1)), message=raw(1, topic=topic)) for topic in ("Z", "a")
    )
    assert one.rank < other.rank


def test_version_time_of_the_enriched_form_is_its_date() -> None:
    version = accepted(enriched(1, date=DAY_2))
    assert version.message.topic == ENRICHED_TOPIC
    assert version.version_dt == version.date
    assert version.sent_dttm is None


def test_category_of_a_raw_line_is_no_field() -> None:
    version = accepted(raw(1, [line("d", category="Суп", name="Лобио")]))
    assert [(one.name, one.category) for one in version.lines] == [("Лобио", None)]


def test_history_moves_to_other_topics() -> None:
    history = History((raw(1, [line("d")]), enriched(2)))
    moved = history.on_topics({RAW_TOPIC: "z_raw", ENRICHED_TOPIC: "a_enriched"})
    assert [message.topic for message in moved.messages] == ["z_raw", "a_enriched"]
    assert warehouse(moved)["dds.v_order"] == warehouse(history)["dds.v_order"]
