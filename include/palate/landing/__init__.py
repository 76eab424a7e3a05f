"""From the services into STG, and out of it for good."""

from palate.landing import (
    accept_gap,
    dictionaries,
    drain,
    epochs,
    gaps,
    partitions,
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
    "partitions",
    "refusals",
    "replays",
    "restage",
    "retention",
]
