"""Marts kept a second time, in another PostgreSQL."""

from palate.copies import compare
from palate.copies.stage import run
from palate.copies.watermark import wanted

__all__ = ["compare", "run", "wanted"]
