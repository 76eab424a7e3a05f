"""The pages, a module for each topic."""

from palate_cockpit.pages import (
    batches,
    guests,
    help,
    runs,
    tags,
)

ALL = (
    batches.pages,
    guests.pages,
    help.pages,
    runs.pages,
    tags.pages,
    tags.holders,
)
__all__ = ["ALL"]
