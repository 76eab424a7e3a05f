"""The pages, a module for each topic."""

from palate_cockpit.pages import batches

ALL = (batches.pages,)
__all__ = ["ALL"]
