"""Whether the vault is what the source of captured changes is, and healing it."""

from palate.reconcile import accept, stage

__all__ = ["accept", "stage"]
