"""What the head of a file says that its statement does is what it does."""

import re
from itertools import chain

import pytest

from palate.marts import kinds, recount, refresh
from palate.marts.by_key_sql import ByKeySql
from palate.marts.counted_mart import CountedMart
from palate.marts.definitions import load_marts
from palate.marts.models import ByKeyMart
from palate.publish import messages
from palate.sql import Step
from palate.vault import parse
from tests import guide_mart
from tests.food import FOOD

PARSE = [
    (source.name, step) for source in FOOD.sources for step in parse.parse_steps(source)
]
STEPS = [
    *messages.order_steps(),
    *(
        step
        for name, mart in load_marts().items()
        if isinstance(mart, CountedMart)
        for step in (
            *refresh.refresh_statements(name),
            *chain.from_iterable(
                recount.recount_statements(
                    mart, refresh.refresh_statements(name)
                ).values()
            ),
            *refresh.rebuild_statements(name),
        )
    ),
]


with guide_mart.added() as by_key:
    STEPS += [*ByKeySql(by_key).find_keys(), *ByKeySql(by_key).of_keys()]
STEPS += [
    step
    for name, mart in load_marts().items()
    if isinstance(mart, ByKeyMart)
    for step in kinds.of(name).refresh_statements()
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_head_names_the_temporary_table_that_is_made(step: Step) -> None:
    made = re.findall(r"^CREATE TEMP TABLE (\w+)", step.statement, re.MULTILINE)
    assert made == ([step.makes] if step.makes else [])
    if step.makes:
        assert ("ON COMMIT DROP" not in step.statement) is step.is_kept


@pytest.mark.parametrize(("source", "step"), PARSE)
def test_head_of_a_parse_names_its_relation(source: str, step: Step) -> None:
    made = re.findall(r"^CREATE TEMP TABLE batch_(\w+)", step.statement, re.MULTILINE)
    assert made == ([step.makes] if step.makes else []), source
    left = re.findall(r"^DELETE FROM batch_(\w+)", step.statement, re.MULTILINE)
    assert left == ([step.drops_from] if step.drops_from else []), source
