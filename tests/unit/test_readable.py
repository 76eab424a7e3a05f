"""What comes from a message is shown, and never trusted."""

import pytest

from palate.readable import harmless, readable


def test_json_is_indented_and_its_escapes_are_read() -> None:
    message = rb'{"name": "\u041b\u043e\u0431\u0438\u043e", "lines": [1, {}], "n": 1e1}'

    assert readable(message) == (
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
    shown = readable(message).replace("\n", "")

    assert shown
    assert all(char.isprintable() for char in shown)


def test_escapes_that_mean_something_in_json_stay() -> None:
    shown = readable(rb'["\u0022", "\u005c", "\\u0041", "\ud83d\ude00", "\ud83d"]')

    assert shown.split() == [
        "[", r'"\u0022",', r'"\u005c",', r'"\\u0041",', '"😀",', r'"\ud83d"', "]",
    ]  # fmt: skip


def test_deep_or_broken_json_is_shown_in_time() -> None:
    assert readable(b"[" * 100_000).count("[") == 100_000
    assert readable(b'{"a" 1,, ]]').startswith("{")
    assert readable(b"") == ""
    assert readable(None) == "(no value)"


def test_text_without_a_shape_stays_on_its_line() -> None:
    assert readable(b"connection test\n") == r"connection test\n"
    assert harmless("a\tb") == r"a\tb"
