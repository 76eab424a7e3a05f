"""What ran and what it found: checks, reloads and rebuilds; and what is wrong."""

from palate.reads.check_reports import (
    CheckHistory,
    CheckResult,
    CheckRows,
    Checks,
    check_history,
    check_rows,
    checked,
)
from palate.reads.history_reports import (
    FoundRows,
    Rebuilds,
    RebuildSeen,
    Reloads,
    ReloadSeen,
    rebuild,
    rebuild_rows,
    rebuilds,
    reload,
    reload_rows,
    reloads,
)
from palate.reads.incident_reports import Incidents, incidents

__all__ = [
    "CheckHistory",
    "CheckResult",
    "CheckRows",
    "Checks",
    "FoundRows",
    "Incidents",
    "RebuildSeen",
    "Rebuilds",
    "ReloadSeen",
    "Reloads",
    "check_history",
    "check_rows",
    "checked",
    "incidents",
    "rebuild",
    "rebuild_rows",
    "rebuilds",
    "reload",
    "reload_rows",
    "reloads",
]
