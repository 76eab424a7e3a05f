"""Messages by their offsets, and their number, without a lock on all of STG."""

from pathlib import Path

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
