-- Delete the dropped conditions, whose guests are enqueued too.
DELETE FROM ops.tag_conditions
WHERE state = 'dropped'
