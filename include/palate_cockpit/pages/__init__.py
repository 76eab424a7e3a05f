"""The pages, a module for each topic."""

from palate_cockpit.pages import (
    batches,
    charts,
    guests,
    help,
    overview,
    refused,
    runs,
    tags,
)

ALL = (
    overview.pages,
    batches.pages,
    charts.pages,
    guests.pages,
    help.pages,
    refused.pages,
    refused.contents,
    runs.pages,
    tags.pages,
    tags.holders,
)
__all__ = ["ALL"]
