"""Refused messages are found by the time of the broker."""

from pathlib import Path

from alembic import op

revision = "0024"
down_revision = "0022"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
