"""The pages, a module for each topic."""

from palate_cockpit.pages import batches, help

ALL = (batches.pages, help.pages)
__all__ = ["ALL"]
