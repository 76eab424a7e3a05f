"""What each table was made from, whether it has the history, and how it goes."""

from palate.tables import initial_load, registry, removal

__all__ = ["initial_load", "registry", "removal"]
