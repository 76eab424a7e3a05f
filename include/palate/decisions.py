"""What a person decides: who it was, why, and about what."""

import getpass
from collections.abc import Iterable
from typing import Any

from palate.errors import RequestError, SettingsError


def current_user() -> str:
    """Return the account that a person works under.

    :raises SettingsError: if it has no name
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        message = "This account has no name. Say who decides it by --by."
        raise SettingsError(message) from None


def required_text(text: str, option: str) -> str:
    """Return a text that a person gave, which must not be empty.

    :raises SettingsError: if it is empty
    """
    if not text.strip():
        message = f"{option} is empty. Say why, for those who ask later."
        raise SettingsError(message)
    return text.strip()


def check_known(what: str, given: Any, known: Iterable[Any]) -> None:
    """Refuse an unknown name that a person gave.

    :param what: the kind of thing, such as ``topic``
    :raises RequestError: names the known ones
    """
    there = list(known)
    if given not in there:
        listed = f"There are: {', '.join(map(str, there))}."
        message = f"There is no {what} {given}. {listed if there else 'There is none.'}"
        raise RequestError(message)


def check_fields(given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse fields that a form doesn't have: they were written for a purpose.

    :raises RequestError: names the form's fields
    """
    fields = list(known)
    unknown = [name for name in given if name not in fields]
    if unknown:
        has = f"It has: {', '.join(fields)}." if fields else "It has none."
        message = f"The form has no field {', '.join(map(repr, unknown))}. {has}"
        raise RequestError(message)
