"""The guests whose tags must be evaluated: marts enter them, the tags take them."""

# All guests: where a change of a mart may affect any of them.
ALL_GUESTS = "INSERT INTO ops.tags_waiting DEFAULT VALUES"
