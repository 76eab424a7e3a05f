"""The door for files that partners send by HTTP: received, kept, told of by events."""

from palate.intake import serve, tokens

__all__ = ["serve", "tokens"]
