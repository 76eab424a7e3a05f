"""Files that partners send by HTTP: received, kept, told of by events."""

from palate.intake import serve, tokens
from palate.intake.datasets import datasets
from palate.intake.settings import load_settings

__all__ = ["datasets", "load_settings", "serve", "tokens"]
