"""The guests whose tags are to be judged: what a mart enters, and the tags take."""

# All guests: where a change of a mart may concern any of them.
ALL_GUESTS = "INSERT INTO ops.tags_waiting DEFAULT VALUES"
