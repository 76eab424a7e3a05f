"""What people see: read models, which write nothing."""

from palate.reads import (
    charts,
    entry,
    guests,
    ledger,
    overview,
    refused,
    reports,
    status,
    storage,
    trends,
)

__all__ = [
    "charts",
    "entry",
    "guests",
    "ledger",
    "overview",
    "refused",
    "reports",
    "status",
    "storage",
    "trends",
]
