"""The owner's work: schemas, tables, roles."""

from palate.schema import drop, meanings, migrate, roles

__all__ = ["drop", "meanings", "migrate", "roles"]
