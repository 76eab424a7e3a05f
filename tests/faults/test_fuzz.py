"""Random and mutated messages: none fails a batch, and each loads or is refused.

The odd messages of ``tests/corpus`` at the first, a middle and the last place of a
batch, and alone, are in ``tests/integration/vault/test_acceptance.py``.
"""

import random
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from palate.errors import RefusedShareError
from palate.vault import stage as vault
from tests.corpus.poison import CASES
from tests.faults.ground import Ground
from tests.faults.table import Results
from tests.faults.verdict import Verdict
from tests.food import FOOD
from tests.integration.staged import caller, stage_messages
from tests.model.history import Form, Message

_PIECES = (
    b'"', b"\\", b"{", b"}", b"[", b"]", b":", b",", b"null", b"true", b"-", b"1e999",
    b"0.1", b"\\u0000", b"\\ud800", b"\x00", b"\xff", b"\xc0\x80", b"\xf0\x9f\x98\x80",
    b"9999999999999999999", b'"0000-00-00 00:00:00"', b"1e-400", b" ", b"\t", b"{}",
)  # fmt: skip


@pytest.mark.parametrize(
    "number",
    [
        2_000,
        pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.timeout(1_800)]),
    ],
)
def test_no_message_fails_a_batch(
    ground: Ground, results: Results, number: int
) -> None:
    chance = random.Random(number)
    seeds = {
        form: [
            case.value
            for case in CASES
            if case.form is form and case.value and len(case.value) < 3_000
        ]
        for form in Form
    }
    topics = {form: topic for topic, form in ground.topics.items()}
    at = datetime.now(UTC)
    batch = 2_000
    with ground.connect() as conn:
        for start in range(0, number, batch):
            messages = []
            for offset in range(start, start + batch):
                form = chance.choice(list(Form))
                value = _mutated(chance, chance.choice(seeds[form]))
                partition = 0 if form is Form.RAW else 1
                messages.append(Message(topics[form], 0, partition, offset, at, value))
            stage_messages(conn, messages)
            with suppress(RefusedShareError):  # raised when all that is right is loaded
                vault.run(ground.settings, FOOD, caller("vault", f"fuzz-{start}"))
        (staged, refused, loaded) = conn.execute(
            "SELECT (SELECT count(*) FROM stg.order_events),"
            " (SELECT count(*) FROM stg.rejected_messages),"
            " (SELECT count(DISTINCT (topic, epoch, kafka_partition, kafka_offset))"
            " FROM dds.s_order_version)"
        ).fetchone() or (0, 0, 0)

    assert staged == number
    assert refused > number / 10
    assert loaded > number / 100
    assert refused + loaded == staged
    # Whether each was judged right is the business of the corpus and the model.
    results.add("random and mutated messages", number, Verdict())


def _mutated(chance: random.Random, value: bytes) -> bytes:
    """Return the value with a few random changes; at times none of it is left."""
    if chance.random() < 0.02:
        return chance.randbytes(chance.randrange(200))
    found = bytearray(value)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(found) + 1)
        to = min(len(found), at + chance.choice((0, 1, 1, 2, 10, 50)))
        kind = chance.randrange(4)
        if kind == 0:
            found[at:to] = b""
        elif kind == 1:
            found[at:to] = chance.choice(_PIECES)
        elif kind == 2:
            found[at:at] = found[at:to]
        elif at < len(found):
            found[at] = chance.randrange(256)
    return bytes(found)
