"""The oracle agrees with what was reasoned by hand about odd messages and entries."""

from collections import Counter

import pytest

from tests.corpus import entries
from tests.corpus.case import Case
from tests.corpus.entries import EntryCase
from tests.corpus.poison import CASES
from tests.model.dictionary import read_entry
from tests.model.history import Message
from tests.model.orders import Refused, read_message

ALL: list[Case | EntryCase] = [*CASES, *entries.CASES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_oracle_agrees_with_the_case(case: Case) -> None:
    message = Message("t", 0, 0, 0, case.broker_dt, case.value, case.headers)
    outcome = read_message(message, case.form)
    reasons = outcome.reasons if isinstance(outcome, Refused) else frozenset()
    assert reasons == case.expect, case.why


@pytest.mark.parametrize("case", entries.CASES, ids=lambda case: case.name)
def test_oracle_agrees_with_the_entry(case: EntryCase) -> None:
    assert (read_entry(case.entry) is not None) == case.is_usable, case.why


def test_names_are_unique() -> None:
    names = Counter(case.name for case in ALL)
    assert [name for name, count in names.items() if count > 1] == []


def test_every_case_says_why() -> None:
    assert [case.name for case in ALL if not case.why] == []
