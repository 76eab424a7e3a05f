"""Values for one field at a time, by the kind of field: (name, JSON text, expect, why).

A kind's values hold in every field of that kind, in both forms.
"""

import json

from tests.corpus.case import ACCEPTED, NOT_JSON, RANGE, SHAPE

Value = tuple[str, str, frozenset[str], str]


def _text(value: str) -> str:
    return json.dumps(value)


OTHER_TYPES: list[Value] = [
    ("true", "true", SHAPE, "true is of no field's type"),
    ("list", '["x"]', SHAPE, "a list is no text, number or time"),
    ("empty_list", "[]", SHAPE, "a list is no text, number or time"),
    ("object", '{"x": 1}', SHAPE, "an object is no text, number or time"),
]

MONEY: list[Value] = [
    ("zero", "0", ACCEPTED, "the range starts at 0"),
    ("minus_zero", "-0", ACCEPTED, "-0 is 0 by value"),
    ("minus_zero_point", "-0.0", ACCEPTED, "-0.0 is 0 by value"),
    ("one_decimal", "0.1", ACCEPTED, "1 of at most 5 decimals"),
    ("five_decimals", "399.99999", ACCEPTED, "at most 5 decimals"),
    ("six_decimals", "399.999999", RANGE, "at most 5 decimals"),
    ("six_decimals_one_by_value", "0.100000", ACCEPTED, "by value it has 1 decimal"),
    ("fifty_zeros", "7." + "0" * 50, ACCEPTED, "by value it has no decimals"),
    ("five_decimals_exponent", "1e-5", ACCEPTED, "0.00001 has 5 decimals"),
    ("six_decimals_exponent", "1e-6", RANGE, "0.000001 has 6 decimals"),
    ("five_of_ten_e_minus_six", "10e-6", ACCEPTED, "0.000010 has 5 decimals by value"),
    ("exponent", "4e2", ACCEPTED, "400 by value"),
    ("capital_exponent", "4.005E+2", ACCEPTED, "400.5 by value"),
    ("most", "1000000000000", ACCEPTED, "the range ends with 10^12"),
    ("most_exponent", "1e12", ACCEPTED, "10^12 by value"),
    ("most_zeros", "1000000000000.000000", ACCEPTED, "10^12 by value"),
    ("above_most", "1000000000001", RANGE, "10^12 is the most"),
    ("just_above_most", "1000000000000.00001", RANGE, "10^12 is the most"),
    ("just_below_most", "999999999999.99999", ACCEPTED, "below 10^12, 5 decimals"),
    ("negative", "-1", RANGE, "0 is the least"),
    ("just_negative", "-0.00001", RANGE, "0 is the least"),
    ("huge", "1e400", RANGE, "jsonb takes it, but 10^12 is the most"),
    ("tiny", "1e-400", RANGE, "jsonb takes it, but it has 400 decimals"),
    ("text", '"400"', SHAPE, "money is a number"),
    ("empty_text", '""', SHAPE, "money is a number"),
    *OTHER_TYPES,
]

QUANTITY: list[Value] = [
    ("one", "1", ACCEPTED, "the range starts at 1"),
    ("most", "1000000", ACCEPTED, "the range ends with 10^6"),
    ("most_exponent", "1e6", ACCEPTED, "10^6 by value"),
    ("above_most", "1000001", RANGE, "10^6 is the most"),
    ("zero", "0", RANGE, "1 is the least"),
    ("minus_zero", "-0", RANGE, "-0 is 0 by value, 1 is the least"),
    ("negative", "-1", RANGE, "1 is the least"),
    ("point_zero", "1.0", ACCEPTED, "1.0 is whole by value"),
    ("exponent", "1e1", ACCEPTED, "1e1 is whole: 10"),
    ("negative_exponent", "20e-1", ACCEPTED, "2 by value"),
    ("fraction_and_exponent", "1.5e1", ACCEPTED, "15 by value"),
    ("fraction", "1.5", SHAPE, "1.5 is not whole"),
    ("half", "0.5", SHAPE | RANGE, "not whole, and below 1"),
    ("negative_fraction", "-1.5", SHAPE | RANGE, "not whole, and below 1"),
    ("big_fraction", "1000000.5", SHAPE | RANGE, "not whole, and above 10^6"),
    ("long_fraction", "1." + "0" * 40 + "1", SHAPE, "not whole, however little"),
    ("int4_overflow", "2147483648", RANGE, "10^6 is the most"),
    ("int8_overflow", "9223372036854775808", RANGE, "10^6 is the most"),
    ("huge", "1e400", RANGE, "whole by value, and far above 10^6"),
    ("tiny", "1e-400", SHAPE | RANGE, "not whole, and below 1"),
    ("text", '"1"', SHAPE, "a quantity is a number"),
    *OTHER_TYPES,
]

OBJECT_ID: list[Value] = [
    ("zero", "0", ACCEPTED, "the range starts at 0"),
    ("minus_zero", "-0", ACCEPTED, "-0 is 0 by value"),
    ("point_zero", "1.0", ACCEPTED, "whole by value"),
    ("exponent", "1e1", ACCEPTED, "whole by value"),
    ("most", "9223372036854775807", ACCEPTED, "2^63-1 is the most"),
    ("most_point_zero", "9223372036854775807.0", ACCEPTED, "2^63-1 by value"),
    ("most_exponent", "9.223372036854775807e18", ACCEPTED, "2^63-1 by value"),
    ("above_most", "9223372036854775808", RANGE, "2^63-1 is the most"),
    ("uint8_overflow", "18446744073709551616", RANGE, "2^63-1 is the most"),
    ("odd_beyond_double", "9007199254740993", ACCEPTED, "numbers are exact"),
    ("fraction", "1.5", SHAPE, "1.5 is not whole"),
    ("fraction_beyond_double", "9007199254740992.5", SHAPE, "not whole"),
    ("negative", "-1", RANGE, "0 is the least"),
    ("negative_fraction", "-0.5", SHAPE | RANGE, "not whole, and below 0"),
    ("huge", "1e400", RANGE, "whole by value, and far above 2^63-1"),
    ("text", '"2301365"', SHAPE, "object_id is a number, as in the examples"),
    *OTHER_TYPES,
]

SHORT_TEXT: list[Value] = [
    ("one_character", '"x"', ACCEPTED, "1 to 100 characters"),
    ("empty", '""', RANGE, "1 character is the least"),
    ("100_characters", _text("x" * 100), ACCEPTED, "100 characters are the most"),
    ("101_characters", _text("x" * 101), RANGE, "100 characters are the most"),
    ("100_cyrillic", _text("ж" * 100), ACCEPTED, "characters are counted, not bytes"),
    ("101_cyrillic", _text("ж" * 101), RANGE, "100 characters are the most"),
    ("100_emoji", _text("😀" * 100), ACCEPTED, "a surrogate pair is one character"),
    ("101_emoji", _text("😀" * 101), RANGE, "100 characters are the most"),
    ("a_blank", '" "', ACCEPTED, "text is kept as it is: a blank is a character"),
    ("101_with_blanks", _text("x" + " " * 100), RANGE, "no trimming"),
    ("blanks_around", '" x "', ACCEPTED, "no trimming"),
    ("line_feed", r'"a\nb"', ACCEPTED, "an escaped line feed is a character"),
    ("control_character", r'"a\u0001b"', ACCEPTED, "jsonb takes all but u0000"),
    ("word_null", '"null"', ACCEPTED, "the text null isn't null"),
    ("quote_and_backslash", r'"a\"b\\c"', ACCEPTED, "escapes are characters"),
    ("sql", '"x\'); DROP TABLE t; --"', ACCEPTED, "a text like any other"),
    ("percent_and_braces", '"%s {x} %(x)s"', ACCEPTED, "a text like any other"),
    ("copy_marks", r'"\\N\t\\."', ACCEPTED, "a text like any other"),
    ("null_character", r'"a\u0000b"', NOT_JSON, "jsonb has no u0000"),
    ("number", "5", SHAPE, "a text is wanted"),
    *OTHER_TYPES,
]

LONG_TEXT: list[Value] = [
    ("empty", '""', ACCEPTED, "texts of up to 1,000 characters, also of none"),
    ("1000_characters", _text("x" * 1000), ACCEPTED, "1,000 characters are the most"),
    ("1001_characters", _text("x" * 1001), RANGE, "1,000 characters are the most"),
    ("1000_emoji", _text("😀" * 1000), ACCEPTED, "a surrogate pair is one character"),
    ("1001_emoji", _text("😀" * 1001), RANGE, "1,000 characters are the most"),
    ("blanks_around", '"  x  "', ACCEPTED, "no trimming"),
    ("null_character", r'"a\u0000b"', NOT_JSON, "jsonb has no u0000"),
    ("number", "5", SHAPE, "a text is wanted"),
    *OTHER_TYPES,
]

REQUIRED: list[Value] = [
    ("null", "null", SHAPE, "required, null being the same as missing"),
]

OPTIONAL: list[Value] = [
    ("null", "null", ACCEPTED, "optional, null being the same as missing"),
]
