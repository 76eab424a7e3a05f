"""From the counters to the guests' tags."""

from palate.tags import rules
from palate.tags.stage import (
    STAGE,
    VALUES,
    comparison,
    has_pending,
    rebuild,
    rules_pending,
    run,
)

__all__ = [
    "STAGE",
    "VALUES",
    "comparison",
    "has_pending",
    "rebuild",
    "rules",
    "rules_pending",
    "run",
]
