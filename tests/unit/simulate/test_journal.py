from decimal import Decimal

import pytest

from palate.simulate.errors import JournalBusyError, JournalError
from palate.simulate.journal import Journal, WorldSize
from palate.simulate.model import Message, Position
from palate.simulate.running import Past
from palate.simulate.truth import Truth
from tests.unit.simulate.orders import DAY_1, DAY_2, RAW, line, menu, version

CLOSED = version(line(price=Decimal("412.5"), quantity=2), line("x", name=None))
LATER = version(line(category='"', name="\\ 'ё"), order_id=2, sent=None, at=DAY_2)
ENTRY = menu(DAY_1, ("lobio", "Лобио", ""), ("x", "Икс", None))


def _message(one=None, reason=None):
    return Message(0, RAW, b"", one, reason)


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "simulator")


def _write(journal, *told, end=True):
    with journal.run("history", WorldSize()) as run:
        for offset, one in enumerate(told):
            run.add(_message(one), Position(RAW, 0, offset), 1000 + offset)
        if end:
            run.end()


class _Told(list):
    def add_message(self, *told):
        self.append(told)

    def add_refused(self, *told):
        self.append(told)

    def add_entry(self, *told):
        self.append(told)


def test_what_was_written_is_told_again(journal):
    with journal.run("history", WorldSize()) as run:
        run.add_entry(ENTRY)
        run.add(_message(CLOSED), Position(RAW, 0, 0), 1000)
        run.add(_message(reason="not_json"), Position(RAW, 1, 0), 1001)
        run.add(_message(LATER), Position("stg", 0, 7), 1002)
        run.end()
    told = _Told()
    assert journal.replay(told) == []
    assert told == [
        (ENTRY,),
        (CLOSED, Position(RAW, 0, 0), 1000),
        ("not_json", Position(RAW, 1, 0)),
        (LATER, Position("stg", 0, 7), 1002),
    ]


def test_runs_follow_each_other(journal):
    _write(journal, CLOSED)
    _write(journal, LATER)
    told = _Told()
    journal.replay(told)
    assert [one[0].order_id for one in told] == [1, 2]
    assert [path.name for path in journal.runs()] == [
        "0001-history.jsonl",
        "0002-history.jsonl",
    ]


def test_run_that_was_cut_off_is_told_up_to_its_last_whole_line(journal):
    _write(journal, CLOSED, LATER, end=False)
    path = journal.runs()[0]
    path.write_bytes(path.read_bytes()[:-5])
    told = _Told()
    assert journal.replay(told) == [path]
    assert [one[0] for one in told] == [CLOSED]


def test_broken_line_is_named(journal):
    _write(journal, CLOSED)
    path = journal.runs()[0]
    path.write_text('["m",1]\n')
    with pytest.raises(JournalError, match=r"0001-history\.jsonl, line 1"):
        journal.replay(Truth())


def test_two_runs_at_once_are_refused(journal):
    with journal.run("live", WorldSize()):
        with pytest.raises(JournalBusyError), journal.run("live", WorldSize()):
            pass
        with pytest.raises(JournalBusyError):
            journal.forget()


def test_world_is_kept_and_another_refused(journal):
    with journal.run("history", journal.world(seed=3)):
        pass
    assert journal.world() == WorldSize(seed=3)
    assert journal.world(seed=3, users=100) == WorldSize(seed=3)
    with pytest.raises(JournalError, match="seed 3, not 4"):
        journal.world(seed=4)


def test_forgotten_is_forgotten(journal):
    journal.forget()
    _write(journal, CLOSED)
    journal.forget()
    assert journal.runs() == []
    assert journal.world(seed=4) == WorldSize(seed=4)


def test_next_run_goes_on_after_the_last_order(journal):
    _write(journal, version(line(), order_id=2_300_007))
    past = Past()
    journal.replay(past)
    assert past.next_order_id == 2_300_008


def test_topic_made_anew_is_noticed(journal):
    _write(journal, CLOSED, LATER)
    past = Past()
    journal.replay(past)
    past.check(Position(RAW, 0, 2))
    past.check(Position(RAW, 1, 0))
    with pytest.raises(JournalError, match="made anew"):
        past.check(Position(RAW, 0, 0))
