"""Messages of a review service that does all that senders do, from a seed.

Revisions change anything and come out of order, twice, or with the time of another one;
some messages are refused, and guests and restaurants may be ones that no order named.
"""

import copy
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from palate.names import ORIGIN_HEADER
from tests.model.history import Message

TOPIC = "review-service_reviews"
START = datetime(2024, 3, 30, 12, tzinfo=UTC)
GUESTS = [f"626a81ce9a8cd1920641e2{n:02x}" for n in range(8)] + ["гость, без заказов"]
RESTAURANTS = ["a51e4e31ae4602047ec52534", "ef8c42c19b7518a9aebec106", "nowhere else"]
TEXTS = ["Вкусно", "too salt", "", "it's \"fine\", \\ with 'quotes'\n%s", "👍" * 3]

Json = dict[str, Any]


def messages(
    seed: int, reviews: int = 40, partitions: int = 2, topic: str = TOPIC
) -> list[Message]:
    """Return messages in the order in which the broker got them.

    :param reviews: so many reviews, and about a fifth as many refused messages
    """
    chance = random.Random(seed)
    values = [
        value for number in range(reviews) for value in _revisions(chance, number)
    ]
    # Out of order, but not far: as partitions and repeated sends mix them.
    places = [place + chance.uniform(0, 12) for place in range(len(values))]
    told = [(json_text(chance, values[n]), ()) for n in _by(places)]
    for _ in range(reviews // 5):
        told.insert(chance.randrange(len(told)), _refused(chance))
    ends: Counter[int] = Counter()
    found = []
    for number, (value, headers) in enumerate(told):
        at = chance.randrange(partitions)
        broker_dt = START + timedelta(seconds=number)
        found.append(Message(topic, 0, at, ends[at], broker_dt, value, headers))
        ends[at] += 1
    return found


def later(sent: list[Message], more: list[Message]) -> list[Message]:
    """Return messages as they come after others that were sent on the same topic."""
    ends: Counter[int] = Counter(one.partition for one in sent)
    found = []
    for one in more:
        moved = one.broker_dt + timedelta(hours=1)
        at = ends[one.partition]
        found.append(replace(one, offset=at, broker_dt=moved))
        ends[one.partition] += 1
    return found


def review(chance: random.Random, number: int) -> Json:
    """Return the first revision of a review."""
    written = START - timedelta(days=chance.randrange(70), seconds=chance.randrange(60))
    return {
        "event": "review",
        "review": {
            "id": f"{number:08x}-review",
            "revision": 1,
            "guest": chance.choice(GUESTS),
            "restaurant": chance.choice(RESTAURANTS),
            "written_at": f"{written:%F %T}",
            "stars": chance.randint(1, 5),
            "text": chance.choice(TEXTS),
            "photos": _photos(chance),
        },
        "sent_at": f"{written + timedelta(minutes=chance.randrange(5)):%F %T}",
    }


def json_text(chance: random.Random, value: Json) -> bytes:
    """Return a message's bytes, escaped or not."""
    is_escaped = chance.random() < 0.5
    return json.dumps(value, ensure_ascii=is_escaped).encode()


def _revisions(chance: random.Random, number: int) -> Iterator[Json]:
    value = review(chance, number)
    yield value
    for _ in range(chance.choice([0, 0, 1, 1, 2, 4])):
        value = copy.deepcopy(value)
        content = value["review"]
        if chance.random() < 0.7:
            content["revision"] += 1
        if chance.random() < 0.7:  # else a tie, or two of one time
            sent = datetime.fromisoformat(value["sent_at"])
            # A clock that was put back: the revision is what counts.
            sent += timedelta(minutes=chance.choice([1, 5, 60, -3]))
            value["sent_at"] = f"{sent:%F %T}"
        for field, new in (
            ("guest", chance.choice(GUESTS)),
            ("restaurant", chance.choice(RESTAURANTS)),
            ("stars", chance.randint(1, 5)),
            ("text", chance.choice([*TEXTS, None])),
            ("photos", _photos(chance)),
            ("written_at", review(chance, number)["review"]["written_at"]),
        ):
            if chance.random() < 0.3:
                content[field] = new
        yield value
        if chance.random() < 0.3:  # sent twice
            yield value


def _photos(chance: random.Random) -> list[Json] | None:
    photos = [
        {"url": f"https://photos/{chance.randrange(50)}", "caption": caption}
        for caption in chance.choices(["", "Суп", None], k=chance.choice([0, 0, 1, 3]))
    ]
    return photos if photos or chance.random() < 0.5 else None


def _refused(
    chance: random.Random,
) -> tuple[bytes | None, tuple[tuple[str, bytes | None], ...]]:
    value = review(chance, chance.randrange(1000, 2000))
    content = value["review"]
    kind = chance.randrange(9)
    if kind == 0:
        return chance.choice([None, b"", b"{", b"\xff", b'"\\u0000"']), ()
    if kind == 1:
        return json_text(chance, value), ((ORIGIN_HEADER, b"palate"),)
    if kind == 2:
        value["event"] = chance.choice(["reply", "Review", None, {"is": "review"}])
    elif kind == 3:
        del content[chance.choice(["id", "guest", "restaurant", "stars", "revision"])]
    elif kind == 4:
        content["stars"] = chance.choice([0, 6, -1])
    elif kind == 5:
        content["photos"] = chance.choice([{"url": "x"}, ["x"], [{"caption": "x"}]])
    elif kind == 6:
        content["written_at"] = chance.choice(
            ["2024-02-30 00:00:00", "0000-01-01 00:00:00"]
        )
    elif kind == 7:
        value["sent_at"] = f"{START + timedelta(days=2):%F %T}"
    else:
        content["stars"] = chance.choice(["5", 4.5, [5]])
    return json_text(chance, value), ()


def _by(places: list[float]) -> list[int]:
    return sorted(range(len(places)), key=places.__getitem__)
