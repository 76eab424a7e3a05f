"""From the counters to the guests' tags."""

from palate.tags import rule_effects, rules
from palate.tags.stage import (
    STAGE,
    VALUES,
    comparison,
    has_pending,
    marts,
    rebuild,
    rules_pending,
    run,
)

__all__ = [
    "STAGE",
    "VALUES",
    "comparison",
    "has_pending",
    "marts",
    "rebuild",
    "rule_effects",
    "rules",
    "rules_pending",
    "run",
]
