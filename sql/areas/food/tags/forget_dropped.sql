-- Forget the dropped conditions, whose guests are waiting too.
DELETE FROM ops.tag_conditions
WHERE state = 'dropped'
