"""The door for files that partners send by HTTP: received, kept, told of by events."""

from palate.intake import client, retention, serve, tokens

__all__ = ["client", "retention", "serve", "tokens"]
