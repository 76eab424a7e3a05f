"""The pages, a module for each topic."""

from palate_cockpit.pages import (
    batches,
    charts,
    guests,
    help,
    runs,
    tags,
)

ALL = (
    batches.pages,
    charts.pages,
    guests.pages,
    help.pages,
    runs.pages,
    tags.pages,
    tags.holders,
)
__all__ = ["ALL"]
