"""What must hold in the whole warehouse, checked every night."""

from palate.checks.definitions import load_checks
from palate.checks.run import Result, reconcile, run_checks

__all__ = ["Result", "load_checks", "reconcile", "run_checks"]
