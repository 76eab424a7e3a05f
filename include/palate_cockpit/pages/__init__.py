"""The pages, a module for each topic."""

from palate_cockpit.pages import (
    batches,
    charts,
    checks,
    guests,
    help,
    incidents,
    overview,
    refused,
    reloads,
    runs,
    tags,
)

ALL = (
    overview.pages,
    batches.pages,
    charts.pages,
    checks.pages,
    checks.rows,
    guests.pages,
    help.pages,
    refused.pages,
    refused.contents,
    incidents.pages,
    reloads.pages,
    reloads.rows,
    runs.pages,
    tags.pages,
    tags.holders,
)
__all__ = ["ALL"]
