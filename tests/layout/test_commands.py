"""The reference of the commands says what they are now."""

import subprocess
import sys
from pathlib import Path

from tests.layout.commands import as_markdown

REFERENCE = Path(__file__).parents[2] / "docs" / "commands.md"


def test_reference_has_every_command_and_option() -> None:
    assert REFERENCE.read_text(encoding="utf-8").strip() == as_markdown(), (
        "run `make docs` and look at what it changed"
    )


def test_commands_start_without_the_libraries_that_only_migrate_needs() -> None:
    code = (
        "import sys, palate.cli.app;"
        "print([name for name in ('alembic', 'sqlalchemy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
