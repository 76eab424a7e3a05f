"""What the warehouse must hold of some messages about reviews, in plain Python.

Nothing here is shared with the area's SQL or its ``shape.yaml``: the rules are written
once more, as a person would check them.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from palate.names import ORIGIN_HEADER
from tests.model import jsonb
from tests.model.history import NO_TIME, Message, Position

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Review:
    """An accepted message."""

    position: Position
    review_id: str
    revision: int
    guest: str
    restaurant: str
    written_at: datetime
    stars: int
    text: str | None
    photos: tuple[tuple[str, str | None], ...]
    sent_at: datetime
    # The photos as they were sent, fields that nobody reads included.
    photos_sent: str | None = field(default=None)

    @property
    def rank(self) -> Row:
        """The greatest one of a review counts."""
        topic, epoch, partition, offset = self.position
        return (
            self.revision,
            self.sent_at,
            epoch,
            topic.encode(),
            partition,
            offset,
        )


class Refused(Exception):
    """Raised with the reason why a message is refused."""


def judged(
    messages: Iterable[Message],
) -> tuple[list[Review], dict[Position, str]]:
    """Return the accepted messages, and the refused positions with their reasons."""
    accepted, refused = [], {}
    for message in messages:
        try:
            accepted.append(read(message))
        except Refused as error:
            refused[message.position] = str(error)
    return accepted, refused


def read(message: Message) -> Review:
    """Return what a message says.

    :raises Refused: if it is no review
    """
    if any(name == ORIGIN_HEADER for name, _ in message.headers):
        raise Refused("own_message")
    try:
        value = jsonb.parse(message.value)
    except jsonb.NotJson:
        raise Refused("not_json") from None
    if not isinstance(value, dict) or value.get("event") != "review":
        raise Refused("not_a_review")
    content = value.get("review")
    _check_shape(isinstance(content, dict))
    assert isinstance(content, dict)
    problems: list[str] = []
    photos = content.get("photos")
    _check_shape(photos is None or isinstance(photos, list))
    listed = photos if isinstance(photos, list) else []
    _check_shape(all(isinstance(photo, dict) for photo in listed))
    found = Review(
        position=message.position,
        review_id=_text(content.get("id"), 1, 100, problems),
        revision=_whole(content.get("revision"), 1, 1_000_000, problems),
        guest=_text(content.get("guest"), 1, 100, problems),
        restaurant=_text(content.get("restaurant"), 1, 100, problems),
        written_at=_time(content.get("written_at"), problems),
        stars=_whole(content.get("stars"), 1, 5, problems),
        text=_optional_text(content.get("text"), problems),
        photos=tuple(
            (
                _text(photo.get("url"), 1, 1_000, problems),
                _optional_text(photo.get("caption"), problems),
            )
            for photo in listed
            if isinstance(photo, dict)
        ),
        sent_at=_time(value.get("sent_at"), problems),
        photos_sent=None if photos is None else jsonb.canonical(photos),
    )
    if problems:
        raise Refused("value_out_of_range")
    broker_dt = message.broker_dt.replace(tzinfo=None)
    if message.broker_dt != NO_TIME and found.sent_at > broker_dt + timedelta(days=1):
        raise Refused("version_in_future")
    return found


def newest(reviews: Iterable[Review]) -> list[Review]:
    """Return the message that counts of each review."""
    found: dict[str, Review] = {}
    for one in reviews:
        other = found.get(one.review_id)
        if other is None or one.rank > other.rank:
            found[one.review_id] = one
    return list(found.values())


def tables(reviews: Iterable[Review]) -> dict[str, Counter[Row]]:
    """Return the rows of each table and view, business keys in the place of hub keys.

    Hubs that another area feeds as well have what reviews name.
    """
    told = list(reviews)
    count = newest(told)
    return {
        "h_review": _once((one.review_id,) for one in told),
        "h_user": _once((one.guest,) for one in told),
        "h_restaurant": _once((one.restaurant,) for one in told),
        "l_review_user": _once((one.review_id, one.guest) for one in told),
        "l_review_restaurant": _once((one.review_id, one.restaurant) for one in told),
        "s_review_revision": Counter((*one.position, *_content(one)) for one in told),
        "s_review_photo": Counter(
            (review_id, sent_at, number, *photo)
            for review_id, sent_at, _, photos in {
                (one.review_id, one.sent_at, one.photos_sent, one.photos)
                for one in told
            }
            for number, photo in enumerate(photos, start=1)
        ),
        "v_review": Counter(_content(one) for one in count),
        "v_review_photo": Counter(
            (one.review_id, number, *photo)
            for one in count
            for number, photo in enumerate(one.photos, start=1)
        ),
        "restaurant_months": Counter(months(count)),
    }


def months(count: Iterable[Review]) -> list[Row]:
    """Return the mart: restaurant, month, reviews, mean of stars, newest text."""
    found: dict[tuple[str, date], list[Review]] = defaultdict(list)
    for one in count:
        found[one.restaurant, one.written_at.date().replace(day=1)].append(one)
    rows = []
    for (restaurant, month), of_month in found.items():
        mean = Fraction(sum(one.stars for one in of_month), len(of_month))
        exact = Decimal(mean.numerator * 10**8 // mean.denominator).scaleb(-8)
        texts = [
            (one.written_at, one.review_id.encode(), one.text)
            for one in of_month
            if one.text is not None
        ]
        rows.append(
            (
                restaurant,
                month,
                len(of_month),
                exact.quantize(Decimal("0.0001"), ROUND_HALF_UP),
                max(texts)[2] if texts else None,
            )
        )
    return rows


def _content(one: Review) -> Row:
    return (
        *(one.review_id, one.guest, one.restaurant, one.revision),
        *(one.stars, one.text, one.written_at, one.sent_at),
    )


def _once(rows: Iterable[Row]) -> Counter[Row]:
    return Counter(set(rows))


def _check_shape(is_right: bool) -> None:
    if not is_right:
        raise Refused("wrong_shape")


def _text(value: Any, shortest: int, longest: int, problems: list[str]) -> str:
    _check_shape(isinstance(value, str))
    if not shortest <= len(value) <= longest:
        problems.append("length")
    return str(value)


def _optional_text(value: Any, problems: list[str]) -> str | None:
    return None if value is None else _text(value, 0, 10_000, problems)


def _whole(value: Any, least: int, most: int, problems: list[str]) -> int:
    _check_shape(isinstance(value, Decimal) and value % 1 == 0)
    if not least <= value <= most:
        problems.append("range")
    return int(value)


def _time(value: Any, problems: list[str]) -> datetime:
    _check_shape(isinstance(value, str))
    form = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"
    _check_shape(bool(re.fullmatch(form, value)))
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        problems.append("time")
        return datetime.min
