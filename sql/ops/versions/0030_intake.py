"""Files that partners send."""

from pathlib import Path

from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
