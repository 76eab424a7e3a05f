"""What people see: read models, which write nothing."""

from palate.reads import entry, guests, ledger, refused, status, storage

__all__ = ["entry", "guests", "ledger", "refused", "status", "storage"]
