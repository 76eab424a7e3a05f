"""The reference of the commands says what they are now."""

from pathlib import Path

from tests.layout.commands import as_markdown

REFERENCE = Path(__file__).parents[2] / "docs" / "commands.md"


def test_reference_has_every_command_and_option() -> None:
    assert REFERENCE.read_text(encoding="utf-8").strip() == as_markdown(), (
        "run `make docs` and look at what it changed"
    )
