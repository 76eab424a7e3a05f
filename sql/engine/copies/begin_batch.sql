-- Begin a batch: what the copy has by now, and what it will have.
UPDATE ops.mart_copies
SET
    taken_token = %(token)s,
    taken_change = %(since)s,
    next_token = %(next_token)s,
    next_change = %(until)s
WHERE mart = %(mart)s
