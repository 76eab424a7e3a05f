"""What people see: read models, which write nothing."""

from palate.reads import entry, refused, status, storage

__all__ = ["entry", "refused", "status", "storage"]
