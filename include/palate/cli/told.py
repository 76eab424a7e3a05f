"""How a command ends when something went wrong: a sentence and an exit code."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from palate.cli.output import errors
from palate.errors import PalateError
from palate.text import harmless


@contextmanager
def told() -> Iterator[None]:
    """End with a sentence and the error's own exit code instead of a traceback."""
    try:
        yield
    except PalateError as error:
        kind = type(error).__name__.removesuffix("Error")
        errors.print(f"{kind}: ", style="red", end="")
        errors.print("\n".join(map(harmless, str(error).split("\n"))))
        sys.exit(error.exit_code)
