"""What must hold in the whole warehouse, checked every night."""

from palate.checks.run import Result, reconcile, run, run_checks

__all__ = ["Result", "reconcile", "run", "run_checks"]
