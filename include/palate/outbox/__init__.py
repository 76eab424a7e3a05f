"""What waits for a later stage: entered in the transaction that changes it."""

from palate.outbox import counters, tag_states, tags_waiting

__all__ = ["counters", "tag_states", "tags_waiting"]
