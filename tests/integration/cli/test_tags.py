"""The command ``palate tags``: rules, who has a tag, and why."""

import json
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from palate import errors
from palate.cli.app import app
from tests.integration.emptied import Emptied
from tests.integration.staged import load, stage_entries, stage_messages
from tests.unit.model.stories import DAY_1, dish, line, menu, raw


class Shell:
    """The command in this process, with the environment of one warehouse."""

    def __init__(self, emptied: Emptied, monkeypatch: pytest.MonkeyPatch) -> None:
        emptied.empty()
        self.conn, self._settings = emptied.conn, emptied.settings
        monkeypatch.setenv("DWH_DSN", self._settings.dwh_dsn.get_secret_value())
        monkeypatch.setenv("COLUMNS", "1000")  # so that no line is broken
        monkeypatch.setenv("NO_COLOR", "1")
        self._runs = 0

    def tags(self, *arguments: str) -> str:
        """Run the command, which must succeed; return what it printed."""
        done = CliRunner().invoke(app, ["tags", *arguments])
        assert done.exit_code == 0, done.output
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.tags(*arguments, "--json"))

    def refused(self, *arguments: str) -> tuple[int, str]:
        """Run the command, which must fail; return its exit code and sentence."""
        done = CliRunner().invoke(app, ["tags", *arguments])
        assert done.stdout == ""
        return done.exit_code, done.stderr

    def run_stages(self) -> None:
        self._runs += 1
        load(self._settings, f"run {self._runs}")


@pytest.fixture
def shell(emptied: Emptied, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Give a warehouse in which guest u had two soups, and v had one."""
    found = Shell(emptied, monkeypatch)
    stage_entries(emptied.settings, [menu("r", DAY_1, dish("d", "Лобио"))])
    soup = line("d", name="?")
    other = line("e", name="Борщ", category="Суп")
    orders = [raw(1, [soup, other]), raw(2, [soup]), raw(3, [soup], user="v")]
    stage_messages(
        emptied.conn,
        [replace(order, offset=offset) for offset, order in enumerate(orders)],
    )
    found.run_stages()
    return found


def test_rule_from_its_first_day_to_its_last(shell: Shell) -> None:
    assert "There are no rules." in shell.tags("list")

    added = shell.json("add", "Знаток лобио", "--dish", "Лобио", "--threshold", "2")
    rule = str(added["rule_id"])
    assert added["kind"] == "product"
    assert shell.json("of", "u") == []
    shell.run_stages()

    (listed,) = shell.json("list")
    assert (listed["things"], listed["guests"]) == (1, 1)
    assert "Знаток лобио" in shell.tags("list")
    who = shell.json("who", "Знаток лобио")
    assert who["guests"] == 1
    assert [one["user_id"] for one in who["holders"]] == ["u"]
    (held,) = shell.json("of", "u")
    assert held["tag"] == "Знаток лобио"
    (reason,) = held["reasons"]
    assert reason == {
        "rule_id": added["rule_id"],
        "kind": "product",
        "name": "Лобио",
        "own_id": "d",
        "order_cnt": 2,
        "threshold": 2,
    }
    assert f"2 orders of the dish 'Лобио' (d); rule {rule} asks" in shell.tags(
        "of", "u"
    )

    shell.tags("set", rule, "--threshold", "1")
    shell.run_stages()
    assert "2 guests have Знаток лобио, 1 of them shown." in shell.tags(
        "who", "Знаток лобио", "--limit", "1"
    )
    assert "takes effect" in shell.tags("set", rule, "--off")
    assert "no rule" not in shell.tags("of", "u")  # the run takes it, not the command
    shell.run_stages()
    assert "Guest u has no tags." in shell.tags("of", "u")
    assert "switched off" in shell.tags("list")
    assert shell.json("remove", rule)["active"] is False
    assert shell.json("list") == []


def test_tags_that_look_alike_are_told_apart(shell: Shell) -> None:
    shell.tags("add", "Знаток", "--dish", "Лобио", "--threshold", "2")

    arguments = ["add", "Знаток ", "--dish", "Лобио", "--threshold", "2"]
    done = CliRunner().invoke(app, ["tags", *arguments])

    assert done.exit_code == 0
    assert "the tag 'Знаток ' has blanks at an end" in done.stderr
    assert "'Знаток ' and 'Знаток' are two tags, though they look alike" in done.stderr
    assert "'Знаток '" in shell.tags("list")


TWO = ("--threshold", "2")
# (arguments, exit code, what the sentence must say)
REFUSED = {
    "unknown_dish": (
        ("add", "x", "--dish", "лобиа", *TWO),
        errors.NotFoundError,
        "No dish is called 'лобиа'. Near to it: 'Лобио'.",
    ),
    "name_of_the_other_kind": (
        ("add", "x", "--category", "Лобио", *TWO),
        errors.NotFoundError,
        "But a dish is: say --dish.",
    ),
    "both_kinds": (
        ("add", "x", "--category", "a", "--dish", "b", *TWO),
        errors.SettingsError,
        "--dish or --category, not both",
    ),
    "no_kind": (("add", "x", *TWO), errors.SettingsError, "--dish or --category"),
    "empty_tag": (
        ("add", "", "--dish", "Лобио", *TWO),
        errors.SettingsError,
        "The tag is empty.",
    ),
    "long_tag": (
        ("add", "x" * 501, "--dish", "Лобио", *TWO),
        errors.SettingsError,
        "The tag has 501 characters, and may have 500.",
    ),
    "unknown_rule": (("set", "77", "--off"), errors.NotFoundError, "no rule 77"),
    "unknown_rule_to_remove": (("remove", "77"), errors.NotFoundError, "no rule 77"),
    "nothing_to_set": (("set", "77"), errors.SettingsError, "Nothing is to be changed"),
    "unknown_guest": (("of", "nobody"), errors.NotFoundError, "no guest 'nobody'"),
    "unknown_tag": (("who", "nothing"), errors.NotFoundError, "No rule gives the tag"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_not_be_is_a_sentence(shell: Shell, name: str) -> None:
    arguments, error, sentence = REFUSED[name]
    code, said = shell.refused(*arguments)
    assert (code, sentence in said) == (error.exit_code, True), said


def test_rule_that_is_there_already_is_named(shell: Shell) -> None:
    rule = ("add", "x", "--dish", "Лобио", *TWO)
    first = shell.json(*rule)["rule_id"]
    code, said = shell.refused(*rule)
    assert code == errors.AlreadyThereError.exit_code
    assert f"Rule {first} gives" in said

    second = shell.json("add", "x", "--dish", "Лобио", "--threshold", "3")["rule_id"]
    code, said = shell.refused("set", str(second), *TWO)
    assert code == errors.AlreadyThereError.exit_code


@pytest.mark.parametrize("threshold", ["0", "-1", "x", str(2**63)])
def test_threshold_is_a_number_from_one_on(shell: Shell, threshold: str) -> None:
    rule = ("add", "x", "--dish", "Лобио", "--threshold", threshold)
    code, said = shell.refused(*rule)
    assert code == 2
    assert "--threshold" in said
