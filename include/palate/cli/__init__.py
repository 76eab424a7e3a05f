"""The command ``palate``."""

from palate.cli.app import app

__all__ = ["app"]
