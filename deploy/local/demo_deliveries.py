"""What two companies send in the demo of the area files, and what each must give."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from palate.files import datasets

DATASET = "companies"
# One that sends what it should, and one that is careless.
ACME, GLOBEX = "acme", "globex"
_JSON, _LINES = "application/json", "application/x-ndjson"
# Who runs the demo again repeats each file.
_KEPT = (202, 200)
# A record may have 16 MiB.
_TOO_LARGE = 17 * 2**20
# A record, the pointer to what is wrong in it, the keyword of the schema.
Problem = tuple[int, str, str]


@dataclass(frozen=True)
class Delivery:
    """One file of one company.

    :param name: what it is called, which counts for nothing
    :param codes: with which it may be answered
    :param state: in which its import ends; None if there must be no import
    :param problems: that its records have
    """

    company: str
    name: str
    content: bytes
    kind: str
    codes: tuple[int, ...]
    state: str | None
    problems: tuple[Problem, ...] = ()


def deliveries() -> list[Delivery]:
    """Return them in the order in which they are sent."""
    return [*_examples(), *_own()]


def _examples() -> Iterator[Delivery]:
    """Give the examples that stand beside the dataset's schema."""
    folder = datasets.FOLDER / DATASET / "examples"
    for path in sorted(folder.glob("good_*.json")):
        yield _good(path.name, path.read_bytes())
    for path in sorted(folder.glob("bad_*.json")):
        gives = json.loads(path.with_suffix(".gives").read_text())
        problems = tuple((int(one[0]), str(one[1]), str(one[2])) for one in gives)
        asked = (path.name, path.read_bytes(), _JSON, _KEPT)
        yield Delivery(GLOBEX, *asked, "invalid", problems)


def _own() -> Iterator[Delivery]:
    three = [
        _company("initech", "USA", founded_year=1998, number_of_employees=40),
        _company("hooli", "USA", founded_year=1998, number_of_employees=None),
        _company("pied-piper", "GBR", founded_year=2014, number_of_employees=6),
    ]
    lines = b"\n".join(json.dumps(one).encode() for one in three)
    yield _good("three.jsonl", lines, _LINES)
    yield _good("three_again.jsonl", lines, _LINES, codes=(200,))
    comma = b'[{"permalink": "a", "name": "A"},]'
    yield Delivery(GLOBEX, "comma_too_many.json", comma, _JSON, (422,), "malformed")
    large = json.dumps(_company("large", "USA", overview="x" * _TOO_LARGE)).encode()
    yield Delivery(GLOBEX, "record_too_large.json", large, _JSON, (413,), None)


def _good(
    name: str, content: bytes, kind: str = _JSON, codes: tuple[int, ...] = _KEPT
) -> Delivery:
    return Delivery(ACME, name, content, kind, codes, "loaded")


def _company(permalink: str, country: str, **more: object) -> dict[str, object]:
    name = permalink.replace("-", " ").title()
    offices = [{"country_code": country}]
    return {"permalink": permalink, "name": name, "offices": offices, **more}
