"""Times in a form or a shell: one parser for all."""

import re
from datetime import UTC, datetime

from palate.errors import RequestError

# Extended ISO 8601 only: 20260102 may be a number, 2026-W01 a month, and an offset in
# hours a part of the time.
_FORM = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)


def moment(text: str, name: str) -> datetime:
    """Return the time of a text, in UTC.

    A date alone is its midnight. Without a zone the time is in UTC.

    :param name: the name in the request, such as ``--from``
    :raises RequestError: if it is no time, or before 1970: no broker has such a time
    """
    text = text.strip()
    try:
        if not _FORM.fullmatch(text):
            raise ValueError
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        found = found.astimezone(UTC)
    except (ValueError, OverflowError):
        message = (
            f"{name} is {text!r}, which is no time. Write a date such as 2026-01-31, "
            "its midnight, or a time such as 2026-01-31T18:30 or "
            "2026-01-31T18:30:00+03:00. Without a zone it is in UTC."
        )
        raise RequestError(message) from None
    if found < _FIRST:
        message = f"{name} is {text!r}. No message is older than 1970-01-01."
        raise RequestError(message)
    return found
