"""Times as the contract writes them, and as seconds since 1970 UTC."""

import calendar
import time
from functools import lru_cache

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_FORM = "%Y-%m-%d %H:%M:%S"
# strftime would be the costliest part of making a message.
_TIMES_OF_DAY = [
    f" {second // HOUR:02}:{second // MINUTE % 60:02}:{second % 60:02}"
    for second in range(DAY)
]


def to_text(seconds: int) -> str:
    """Return an instant as ``YYYY-MM-DD HH:MM:SS`` in UTC."""
    day, second = divmod(seconds, DAY)
    return _date(day) + _TIMES_OF_DAY[second]


def to_seconds(text: str) -> int:
    """Return the instant that ``YYYY-MM-DD HH:MM:SS`` means in UTC.

    :raises ValueError: if the text has another form
    """
    return calendar.timegm(time.strptime(text, _FORM))


@lru_cache(maxsize=4096)
def _date(day: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(day * DAY))
