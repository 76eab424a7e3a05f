"""From the services into STG, and out of it for good."""

from palate.landing import (
    accept_gap,
    dictionaries,
    drain,
    epochs,
    gaps,
    refusals,
    replays,
    restage,
    retention,
)

__all__ = [
    "accept_gap",
    "dictionaries",
    "drain",
    "epochs",
    "gaps",
    "refusals",
    "replays",
    "restage",
    "retention",
]
