"""How every stage runs: its lock, its batches, the ledger, and what is done again."""

from palate.engine import locks, plans, progress
from palate.engine.outcome import Batch, Caller, Outcome
from palate.engine.pipeline import Pipeline, Stage
from palate.engine.stage import StageRun, open_run

__all__ = [
    "Batch",
    "Caller",
    "Outcome",
    "Pipeline",
    "Stage",
    "StageRun",
    "locks",
    "open_run",
    "plans",
    "progress",
]
