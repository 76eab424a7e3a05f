"""Values for the fields that are times: (name, JSON text, expect, why)."""

from tests.corpus.case import ACCEPTED, RANGE, SHAPE
from tests.corpus.values import OTHER_TYPES, Value


def _told(name: str, time: str, expect: frozenset[str], why: str) -> Value:
    return (name, f'"{time}"', expect, why)


# None of these lies after the corpus's broker time, so that each may also be the
# version time of an order.
TIME: list[Value] = [
    _told("last_second", "2020-12-31 23:59:59", ACCEPTED, "23:59:59 is the last"),
    _told("midnight", "2020-12-31 00:00:00", ACCEPTED, "00:00:00 is the first"),
    _told("leap_day", "2020-02-29 12:00:00", ACCEPTED, "2020 is a leap year"),
    _told("leap_day_2000", "2000-02-29 12:00:00", ACCEPTED, "2000 is a leap year"),
    _told("year_1", "0001-01-01 00:00:00", ACCEPTED, "year 1 is the first"),
    _told("before_1970", "1969-12-31 23:59:59", ACCEPTED, "year 1 to 9999"),
    _told("moscow_gap", "2014-10-26 01:30:00", ACCEPTED, "times mean UTC: no DST"),
    _told("europe_gap", "2023-03-26 02:30:00", ACCEPTED, "times mean UTC: no DST"),
    _told("no_leap_day", "2022-02-29 00:00:00", RANGE, "2022 isn't a leap year"),
    _told("no_leap_day_1900", "1900-02-29 00:00:00", RANGE, "1900 isn't a leap year"),
    _told("february_30", "2022-02-30 00:00:00", RANGE, "no such day"),
    _told("april_31", "2022-04-31 00:00:00", RANGE, "no such day"),
    _told("month_00", "2022-00-10 00:00:00", RANGE, "no such month"),
    _told("month_13", "2022-13-10 00:00:00", RANGE, "no such month"),
    _told("day_00", "2022-01-00 00:00:00", RANGE, "no such day"),
    _told("day_32", "2022-01-32 00:00:00", RANGE, "no such day"),
    _told("year_0", "0000-01-01 00:00:00", RANGE, "years are 1 to 9999"),
    _told("all_zero", "0000-00-00 00:00:00", RANGE, "years are 1 to 9999"),
    _told("hour_24", "2022-01-01 24:00:00", RANGE, "23:59:59 is the last"),
    _told("hour_25", "2022-01-01 25:00:00", RANGE, "23:59:59 is the last"),
    _told("minute_60", "2022-01-01 23:60:00", RANGE, "23:59:59 is the last"),
    _told("second_60", "2022-01-01 23:59:60", RANGE, "23:59:59 is the last"),
    _told("leap_second", "2016-12-31 23:59:60", RANGE, "leap seconds included"),
    _told("all_nines", "9999-99-99 99:99:99", RANGE, "no such time"),
    _told("t_separator", "2022-01-01T00:00:00", SHAPE, "a blank is wanted"),
    _told("two_blanks", "2022-01-01  00:00:00", SHAPE, "one blank is wanted"),
    _told("tab", r"2022-01-01\t00:00:00", SHAPE, "a blank is wanted"),
    _told("hard_blank", "2022-01-01\u00a000:00:00", SHAPE, "a blank is wanted"),
    _told("fraction", "2022-01-01 00:00:00.000", SHAPE, "no fraction in the form"),
    _told("zone_z", "2022-01-01 00:00:00Z", SHAPE, "no zone in the form"),
    _told("zone_offset", "2022-01-01 00:00:00+00", SHAPE, "no zone in the form"),
    _told("zone_name", "2022-01-01 00:00:00 UTC", SHAPE, "no zone in the form"),
    _told("bc", "2022-01-01 00:00:00 BC", SHAPE, "exactly the form"),
    _told("leading_blank", " 2022-01-01 00:00:00", SHAPE, "exactly the form"),
    _told("trailing_blank", "2022-01-01 00:00:00 ", SHAPE, "exactly the form"),
    _told("trailing_newline", r"2022-01-01 00:00:00\n", SHAPE, "exactly the form"),
    _told("leading_newline", r"\n2022-01-01 00:00:00", SHAPE, "exactly the form"),
    _told("second_line", r"x\n2022-01-01 00:00:00", SHAPE, "exactly the form"),
    _told("date_only", "2022-01-01", SHAPE, "exactly the form"),
    _told("time_only", "00:00:00", SHAPE, "exactly the form"),
    _told("no_seconds", "2022-01-01 00:00", SHAPE, "exactly the form"),
    _told("no_separators", "20220101000000", SHAPE, "exactly the form"),
    _told("short_month", "2022-1-01 00:00:00", SHAPE, "two digits are wanted"),
    _told("short_hour", "2022-01-01 0:00:00", SHAPE, "two digits are wanted"),
    _told("two_digit_year", "22-01-01 00:00:00", SHAPE, "four digits are wanted"),
    _told("five_digit_year", "12022-01-01 00:00:00", SHAPE, "four digits are wanted"),
    _told("plus_year", "+2022-01-01 00:00:00", SHAPE, "digits only"),
    _told("minus_year", "-022-01-01 00:00:00", SHAPE, "digits only"),
    _told("minus_day", "2022-01--1 00:00:00", SHAPE, "digits only"),
    _told("blank_digit", "2022-01- 1 00:00:00", SHAPE, "digits only"),
    _told("day_first", "01-01-2022 00:00:00", SHAPE, "the year comes first"),
    _told("dots", "01.01.2022 00:00:00", SHAPE, "exactly the form"),
    _told("slashes", "2022/01/01 00:00:00", SHAPE, "exactly the form"),
    _told("month_name", "2022-Jan-01 00:00:00", SHAPE, "digits only"),
    _told("am", "2022-01-01 10:00:00 AM", SHAPE, "exactly the form"),
    _told("arabic_digits", "٢٠٢٢-٠١-٠١ ٠٠:٠٠:٠٠", SHAPE, "digits are 0 to 9"),
    _told("one_arabic_digit", "202٢-01-01 00:00:00", SHAPE, "digits are 0 to 9"),
    _told("wide_digits", "２０２２-01-01 00:00:00", SHAPE, "digits are 0 to 9"),
    _told("hyphen_u2010", "2022‐01‐01 00:00:00", SHAPE, "exactly the form"),
    _told("word_now", "now", SHAPE, "exactly the form"),
    _told("word_infinity", "infinity", SHAPE, "exactly the form"),
    _told("word_epoch", "epoch", SHAPE, "exactly the form"),
    _told("word_today", "today 00:00:00", SHAPE, "exactly the form"),
    _told("empty", "", SHAPE, "exactly the form"),
    ("number", "1660000000", SHAPE, "a time is a text"),
    *OTHER_TYPES,
]

# What only a time that decides no version may be.
FAR_TIME: list[Value] = [
    _told("last_of_all", "9999-12-31 23:59:59", ACCEPTED, "may lie anywhere"),
    _told("leap_day_2024", "2024-02-29 00:00:00", ACCEPTED, "may lie anywhere"),
    _told("far_no_leap_day", "2100-02-29 00:00:00", RANGE, "no leap year"),
]
