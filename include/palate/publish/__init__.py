"""What changed goes out: tags, counters, enriched orders."""

from palate.publish.stage import STAGE, again, run

__all__ = ["STAGE", "again", "run"]
