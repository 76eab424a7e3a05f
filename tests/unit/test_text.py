"""What comes from a message is shown, and never trusted."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from palate.incidents import Incident, Kind
from palate.monitoring.alarms import Alarm
from palate.text import (
    escape_controls,
    hex_lines,
    in_any_medium,
    in_markdown,
    pretty,
    row_as_text,
)


def test_json_is_indented_and_its_escapes_are_read() -> None:
    message = rb'{"name": "\u041b\u043e\u0431\u0438\u043e", "lines": [1, {}], "n": 1e1}'

    assert pretty(message) == (
        '{\n  "name": "Лобио",\n  "lines": [\n    1,\n    {}\n  ],\n  "n": 1e1\n}'
    )


@pytest.mark.parametrize(
    "message",
    [
        b"\x1b[2J\x1b]0;owned\x07",  # clears the screen, renames the window
        b'{"a": "\\u001b[31m"}',  # the same, written as JSON's escape
        b'{"a": "\x1b[31m"}',
        b'{"a": "\x1b[31m',  # cut off within the text
        b"{\x9b31m}",  # one byte that is no UTF-8
        "\u009b31m".encode(),  # the control sequence introducer of 8 bits
        '{"a": "\u202egnp.exe"}'.encode(),  # turns the direction
        b'{"a": "\\u202e"}',
        b"\x7f\x08\x08\r\n",
        b"\xff\xfe\x00",
    ],
)
def test_nothing_reaches_the_terminal_but_text(message: bytes) -> None:
    shown = pretty(message).replace("\n", "")

    assert shown
    assert all(char.isprintable() for char in shown)


def test_escapes_that_mean_something_in_json_stay() -> None:
    shown = pretty(rb'["\u0022", "\u005c", "\\u0041", "\ud83d\ude00", "\ud83d"]')

    assert shown.split() == [
        "[", r'"\u0022",', r'"\u005c",', r'"\\u0041",', '"😀",', r'"\ud83d"', "]",
    ]  # fmt: skip


def test_deep_or_broken_json_is_shown_in_time() -> None:
    assert pretty(b"[" * 100_000).count("[") == 100_000
    assert pretty(b'{"a" 1,, ]]').startswith("{")
    assert pretty(b"{" + b'"\\' * 100_000).count("\\") == 100_000
    assert pretty(b"") == ""
    assert pretty(None) == "(no value)"


def test_bytes_are_shown_in_hex() -> None:
    assert hex_lines(b"") == ""
    assert hex_lines(b"0123456789abcdef\x00\x7f\xff<") == (
        "000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef\n"
        "000010  00 7f ff 3c                                      ...<"
    )


def test_text_without_a_shape_stays_on_its_line() -> None:
    assert pretty(b"connection test\n") == r"connection test\n"
    assert escape_controls("a\tb") == r"a\tb"


# What the media act on: a heading, a picture, a link, a tag, a mention, the marks of
# code and of cells, colours of a terminal, its title, and what turns or hides text.
HOSTILE = (
    "x\n\n# Nothing differs\n![](https://e.example/x) [a](javascript:b) <b>&<!channel>"
    " | ` ``` [red]b[/red] \x1b[31m \x1b]0;owned\x07 \u202e \u2066 \u200b \u3164"
    " \u2028 \x85"
)


@given(st.text())
@example(HOSTILE)
def test_text_in_a_terminal_is_one_line_of_what_is_seen(text: str) -> None:
    for shown in (
        escape_controls(text),
        row_as_text({"name": text}),
        in_any_medium(text),
    ):
        assert shown.isprintable()
        assert not set(shown) & set("\u034f\u3164\u2800\ufe0f")


@given(st.text())
@example(HOSTILE)
def test_text_in_markdown_is_one_span_of_code_in_one_cell(text: str) -> None:
    shown = in_markdown(text)

    assert (shown[0], shown[-1]) == ("`", "`")
    assert len(shown) > 2
    assert not set(shown[1:-1]) & {"`", "|"}
    assert shown.isprintable()


@given(st.text())
@example(HOSTILE)
def test_alarm_has_nothing_that_mail_or_chat_would_act_on(text: str) -> None:
    incident = Incident(Kind.CHECK, text, text, datetime(2026, 1, 2, tzinfo=UTC))
    told = Alarm(incident, is_over=False).as_dict()

    for name in ("title", "text", "subject", "message"):
        assert not set(told[name]) & set("<>`\n\x1b\u202e")
        assert "](" not in told[name]


def test_ordinary_text_stays_as_it_is() -> None:
    assert escape_controls("Пицца «Маргарита» 🍕") == "Пицца «Маргарита» 🍕"
    assert in_markdown("Суп дня") == "`Суп дня`"
    assert in_any_medium("orders[0] 12..12") == "orders[0] 12..12"
    assert in_markdown("x" * 300) == "`" + "x" * 200 + "...`"
