"""What people see: read models, which write nothing."""

from palate.reads import entry, ledger, refused, status, storage

__all__ = ["entry", "ledger", "refused", "status", "storage"]
