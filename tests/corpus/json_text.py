"""Cases of the first rule: what jsonb takes, and what it doesn't."""

import gzip
from collections.abc import Iterator

from tests.corpus.case import ACCEPTED, BOTH, NOT_JSON, Case, example, with_extra
from tests.model.history import Form

RAW = example(Form.RAW)

# Values of a field that the form doesn't have: kept in STG and ignored, as long as
# the whole is JSON.
EXTRA: list[tuple[str, str, frozenset[str], str]] = [
    ("object", '{"a": [1, {"b": null}]}', ACCEPTED, "other fields are ignored"),
    ("nan", "NaN", NOT_JSON, "no NaN"),
    ("infinity", "Infinity", NOT_JSON, "no JSON word"),
    ("minus_infinity", "-Infinity", NOT_JSON, "no JSON word"),
    ("undefined", "undefined", NOT_JSON, "no JSON word"),
    ("python_true", "True", NOT_JSON, "JSON's words are lower case"),
    ("python_none", "None", NOT_JSON, "no JSON word"),
    ("leading_zero", "01", NOT_JSON, "JSON's grammar: no leading zero"),
    ("plus_sign", "+1", NOT_JSON, "JSON's grammar: no plus sign"),
    ("no_whole_part", ".5", NOT_JSON, "JSON's grammar: a digit before the point"),
    ("no_fraction", "5.", NOT_JSON, "JSON's grammar: a digit after the point"),
    ("no_exponent", "1e", NOT_JSON, "JSON's grammar: a digit after the e"),
    ("hexadecimal", "0x10", NOT_JSON, "JSON's grammar: decimal digits"),
    ("underscore", "1_000", NOT_JSON, "JSON's grammar: no underscore"),
    ("131072_digits", "9" * 131072, ACCEPTED, "numeric holds 131,072 before the point"),
    ("131073_digits", "9" * 131073, NOT_JSON, "numeric holds 131,072 before the point"),
    ("e131071", "1e131071", ACCEPTED, "131,072 digits before the point"),
    ("e131072", "1e131072", NOT_JSON, "131,073 digits before the point"),
    ("16383_decimals", "0." + "1" * 16383, ACCEPTED, "numeric holds 16,383 after it"),
    ("16384_decimals", "0." + "1" * 16384, NOT_JSON, "numeric holds 16,383 after it"),
    ("e_minus_16383", "1e-16383", ACCEPTED, "16,383 digits after the point"),
    ("e_minus_16384", "1e-16384", NOT_JSON, "16,384 digits after the point"),
    (
        "zero_e_minus_16384",
        "0e-16384",
        NOT_JSON,
        "its scale is out of range all the same",
    ),
    ("zero_e_200000", "0e200000", ACCEPTED, "0 has no digits before the point"),
    ("exponent_beyond_int", "1e99999999999", NOT_JSON, "out of numeric's range"),
    ("lone_high_surrogate", r'"\ud83d"', NOT_JSON, "no lone surrogate"),
    ("lone_low_surrogate", r'"\ude00"', NOT_JSON, "no lone surrogate"),
    ("surrogates_reversed", r'"\ude00\ud83d"', NOT_JSON, "the high one comes first"),
    ("surrogate_and_letter", r'"\ud83dx\ude00"', NOT_JSON, "no lone surrogate"),
    ("two_high_surrogates", r'"\ud83d\ud83d\ude00"', NOT_JSON, "no lone surrogate"),
    ("surrogate_pair", r'"\ud83d\ude00"', ACCEPTED, "a pair is a character"),
    ("first_surrogate_pair", r'"\uD800\uDC00"', ACCEPTED, "U+10000"),
    ("noncharacter", r'"\uffff"', ACCEPTED, "a code point like any other"),
    ("escaped_null", r'"\u0000"', NOT_JSON, "no u0000"),
    ("backslash_then_u0000", r'"\\u0000"', ACCEPTED, "a backslash, then letters"),
    ("escaped_null_in_key", r'{"\u0000": 1}', NOT_JSON, "no u0000"),
    ("lone_surrogate_in_key", r'{"\ud83d": 1}', NOT_JSON, "no lone surrogate"),
    ("empty_key", '{"": 1}', ACCEPTED, "a key like any other"),
    ("repeated_key", '{"a": 1, "a": 2}', ACCEPTED, "the last counts"),
    ("raw_line_feed", '"a\nb"', NOT_JSON, "control characters must be escaped"),
    ("raw_tab", '"a\tb"', NOT_JSON, "control characters must be escaped"),
    ("raw_unit_separator", '"\x1f"', NOT_JSON, "control characters must be escaped"),
    ("raw_delete", '"\x7f"', ACCEPTED, "JSON's control characters end at 1F"),
    ("raw_line_separator", '"\u2028"', ACCEPTED, "U+2028 is no control character"),
    ("escape_x", r'"\x41"', NOT_JSON, "JSON has no such escape"),
    ("escape_capital_u", r'"\U00000041"', NOT_JSON, "JSON has no such escape"),
    ("escape_quote", r'"\'"', NOT_JSON, "JSON has no such escape"),
    ("escape_three_digits", r'"\u041"', NOT_JSON, "four hexadecimal digits"),
    ("escape_slash", r'"\/"', ACCEPTED, "JSON has this escape"),
    ("single_quotes", "'a'", NOT_JSON, "JSON's quotes are double"),
    ("bare_key", "{a: 1}", NOT_JSON, "keys are strings"),
    ("number_key", "{1: 1}", NOT_JSON, "keys are strings"),
    ("comma_at_end_of_list", "[1,]", NOT_JSON, "no comma at the end"),
    ("comma_at_end_of_object", '{"a": 1,}', NOT_JSON, "no comma at the end"),
    ("no_comma", "[1 2]", NOT_JSON, "a comma is wanted"),
    ("no_colon", '{"a" 1}', NOT_JSON, "a colon is wanted"),
    ("comment", "1 /* one */", NOT_JSON, "JSON has no comments"),
    ("form_feed", "\f1", NOT_JSON, "no blank of JSON's"),
    ("hard_blank", "\u00a01", NOT_JSON, "no blank of JSON's"),
    ("carriage_return", "\r\n 1", ACCEPTED, "blanks of JSON's"),
    ("list_100_deep", "[" * 100 + "]" * 100, ACCEPTED, "far from jsonb's depth"),
    ("list_900_deep", "[" * 900 + "]" * 900, ACCEPTED, "jsonb takes several thousand"),
    ("object_900_deep", '{"a":' * 900 + "1" + "}" * 900, ACCEPTED, "as lists"),
    ("list_100000_deep", "[" * 100_000 + "]" * 100_000, NOT_JSON, "beyond its depth"),
    ("open_100000_deep", "[" * 100_000, NOT_JSON, "not even closed"),
    ("long_text", '"' + "x" * 1_000_000 + '"', ACCEPTED, "ignored at any length"),
]

# Whole values, the same in both forms.
WHOLE: list[tuple[str, bytes | None, str]] = [
    ("no_value", None, "a message without a value has no bytes"),
    ("empty", b"", "some bytes"),
    ("blanks", b" \r\n\t ", "no value in it"),
    ("word", b"test", "a connection test"),
    ("kcat_line", b"hello world\n", "a connection test"),
    ("null_byte", b"\x00", "no JSON, no text"),
    ("open_object", RAW[:-1], "cut off"),
    ("half", RAW[: len(RAW) // 2], "cut off"),
    ("one_byte_less_at_start", RAW[1:], "cut off"),
    ("one_brace_more", RAW + b"}", "nothing may follow"),
    ("twice", RAW + RAW, "nothing may follow"),
    ("two_lines", RAW + b"\n" + RAW, "nothing may follow"),
    ("null_at_end", RAW + b"\x00", "nothing may follow"),
    ("bom", b"\xef\xbb\xbf" + RAW, "no BOM"),
    ("utf_16", RAW.decode().encode("utf-16"), "UTF-8"),
    ("utf_16_le", RAW.decode().encode("utf-16-le"), "UTF-8"),
    ("utf_16_be", RAW.decode().encode("utf-16-be"), "UTF-8"),
    ("utf_32", RAW.decode().encode("utf-32"), "UTF-8"),
    ("gzip", gzip.compress(RAW, mtime=0), "UTF-8"),
    ("schema_registry", b"\x00\x00\x00\x00\x01" + RAW, "no JSON before the brace"),
    ("python_dict", str({"object_type": "order"}).encode(), "single quotes"),
]


def _bytes_in_text(form: Form, inside: bytes) -> bytes:
    return with_extra(form, '"@"').replace(b"@", inside)


def cases() -> Iterator[Case]:
    """Yield what is no JSON, and what is although it looks odd."""
    for form in BOTH:
        yield Case(f"{form}:example", form, example(form), ACCEPTED, "as it should be")
        for name, literal, expect, why in EXTRA:
            value = with_extra(form, literal)
            yield Case(f"{form}:extra:{name}", form, value, expect, why)
        for name, whole, why in WHOLE:
            yield Case(f"{form}:whole:{name}", form, whole, NOT_JSON, why)
        yield Case(
            name=f"{form}:whole:blanks_around",
            form=form,
            value=b"\r\n\t " + example(form) + b" \n",
            expect=ACCEPTED,
            why="JSON's blanks may stand around",
        )
        yield Case(
            name=f"{form}:whole:unescaped",
            form=form,
            value=example(form).decode("unicode_escape").encode("utf-8"),
            expect=ACCEPTED,
            why="usually escaped, not always",
        )
        for name, inside, expect, why in (
            ("cyrillic", "Пицца".encode(), ACCEPTED, "UTF-8"),
            ("emoji", "😀".encode(), ACCEPTED, "UTF-8"),
            ("last_code_point", "\U0010ffff".encode(), ACCEPTED, "UTF-8"),
            ("bom_inside", b"\xef\xbb\xbf", ACCEPTED, "U+FEFF in a text"),
            ("windows_1251", "Пицца".encode("cp1251"), NOT_JSON, "not UTF-8"),
            ("latin_1", "é".encode("latin-1"), NOT_JSON, "not UTF-8"),
            ("byte_ff", b"\xff", NOT_JSON, "not UTF-8"),
            ("cut_character", "П".encode()[:1], NOT_JSON, "not UTF-8"),
            ("overlong_slash", b"\xc0\xaf", NOT_JSON, "not UTF-8: overlong"),
            ("overlong_null", b"\xc0\x80", NOT_JSON, "not UTF-8: overlong"),
            ("surrogate", b"\xed\xa0\xbd", NOT_JSON, "not UTF-8: a surrogate"),
            ("cesu_8", b"\xed\xa0\xbd\xed\xb8\x80", NOT_JSON, "not UTF-8: surrogates"),
            ("beyond_unicode", b"\xf4\x90\x80\x80", NOT_JSON, "not UTF-8: too great"),
            ("null_byte", b"a\x00b", NOT_JSON, "a raw control character"),
        ):
            value = _bytes_in_text(form, inside)
            yield Case(f"{form}:bytes:{name}", form, value, expect, why)
