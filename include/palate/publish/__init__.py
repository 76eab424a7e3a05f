"""What changed goes out: tags, counters, enriched orders."""

from palate.publish.stage import ORDERS, STAGE, again, run

__all__ = ["ORDERS", "STAGE", "again", "run"]
