"""Cases of the version time, which may be a day after the broker time, no more."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from tests.corpus.case import (
    ACCEPTED,
    FUTURE,
    RANGE,
    SHAPE,
    Case,
    example,
)
from tests.model.history import NO_TIME, Form
from tests.model.render import Literal

NOON = datetime(2023, 8, 12, 12, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

VERSION_FIELD = {Form.RAW: "payload.update_ts", Form.ENRICHED: "payload.date"}

# (name, version time, broker time, expect, why)
LEADS: list[tuple[str, str, datetime, frozenset[str], str]] = [
    ("same", "2023-08-12 12:00:00", NOON, ACCEPTED, "no lead"),
    ("one_day", "2023-08-13 12:00:00", NOON, ACCEPTED, "one day is the most"),
    ("one_day_and_1_s", "2023-08-13 12:00:01", NOON, FUTURE, "more than one day"),
    (
        "one_day_and_1_ms",
        "2023-08-13 12:00:00",
        NOON - MILLISECOND,
        FUTURE,
        "broker times have milliseconds",
    ),
    (
        "one_day_less_1_ms",
        "2023-08-13 12:00:00",
        NOON + MILLISECOND,
        ACCEPTED,
        "less than one day",
    ),
    ("a_year", "2024-08-12 12:00:00", NOON, FUTURE, "more than one day"),
    ("end_of_time", "9999-12-31 23:59:59", NOON, FUTURE, "exists, in the future"),
    ("long_ago", "0001-01-01 00:00:00", NOON, ACCEPTED, "the past has no bound"),
    (
        "leap_day_on_time",
        "2024-02-29 00:00:00",
        datetime(2024, 2, 28, tzinfo=UTC),
        ACCEPTED,
        "one day, and 2024 is a leap year",
    ),
    (
        "broker_clock_at_1970",
        "2023-08-12 12:00:00",
        datetime(1970, 1, 1, tzinfo=UTC),
        FUTURE,
        "the broker time decides, whoever set it",
    ),
    (
        "record_without_a_time",
        "2023-08-12 12:00:00",
        NO_TIME,
        ACCEPTED,
        "where there is no broker time, nothing is compared with it",
    ),
    (
        "no_such_day_in_future",
        "2030-02-30 00:00:00",
        NOON,
        RANGE,
        "no such day, so no version time to compare",
    ),
]


def cases() -> Iterator[Case]:
    """Yield leads in both forms, and other times that may lie anywhere."""
    for form, path in VERSION_FIELD.items():
        for name, time, broker_dt, expect, why in LEADS:
            yield Case(
                f"{form}:lead:{name}",
                form,
                example(form, {path: time}),
                expect,
                why,
                broker_dt=broker_dt,
            )
        yield Case(
            f"{form}:lead:future_and_negative_cost",
            form,
            example(form, {path: "2030-01-01 00:00:00", "payload.cost": -1}),
            FUTURE | RANGE,
            "of several other broken rules any may be named",
        )
        yield Case(
            f"{form}:lead:future_and_no_payment",
            form,
            example(
                form, {path: "2030-01-01 00:00:00", "payload.payment": Literal("null")}
            ),
            FUTURE | SHAPE,
            "of several other broken rules any may be named",
        )
    for path in ("sent_dttm", "payload.date", "payload.statuses.0.dttm"):
        yield Case(
            f"raw:lead:{path}",
            Form.RAW,
            example(Form.RAW, {path: "2030-01-01 00:00:00"}),
            ACCEPTED,
            "only the version time counts, and that is update_ts",
        )
