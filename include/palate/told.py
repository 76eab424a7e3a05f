"""How a command ends when something went wrong: a sentence and an exit code."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from palate.errors import PalateError

_errors = Console(stderr=True)


@contextmanager
def told() -> Iterator[None]:
    """End with a sentence and the error's own exit code instead of a traceback."""
    try:
        yield
    except PalateError as error:
        _errors.print(
            f"[red]{type(error).__name__.removesuffix('Error')}:[/red] ", end=""
        )
        _errors.print(str(error), markup=False, highlight=False)
        sys.exit(error.exit_code)
