"""What a person decides by hand: who it was, and why."""

import getpass

from palate.errors import SettingsError


def person() -> str:
    """Return the account that a person works under.

    :raises SettingsError: if it has no name
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        message = "This account has no name. Say who decides it by --by."
        raise SettingsError(message) from None


def stated(text: str, option: str) -> str:
    """Return a text that a person gave, which must say something.

    :raises SettingsError: if it is empty
    """
    if not text.strip():
        message = f"{option} is empty. Say why, for those who ask later."
        raise SettingsError(message)
    return text.strip()
