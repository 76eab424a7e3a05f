"""What must hold in the whole warehouse, checked every night."""

from palate.checks.results import Result
from palate.checks.run import check_warehouse, reconcile, run_checks
from palate.checks.subjects import planned

__all__ = ["Result", "check_warehouse", "planned", "reconcile", "run_checks"]
