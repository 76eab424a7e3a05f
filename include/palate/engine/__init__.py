"""How every stage runs: its lock, its batches, the ledger, and what is done again."""

from palate.engine import locks, plans, progress
from palate.engine.outcome import Batch, Caller, Outcome, shell_caller
from palate.engine.stage import StageRun, open_run

__all__ = [
    "Batch",
    "Caller",
    "Outcome",
    "StageRun",
    "locks",
    "open_run",
    "plans",
    "progress",
    "shell_caller",
]
