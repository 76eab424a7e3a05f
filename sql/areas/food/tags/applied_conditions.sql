-- The conditions that the stage has applied, and that still hold.
SELECT
    kind,
    thing_id,
    tag,
    threshold,
    rule_id
FROM ops.tag_conditions
WHERE state <> 'dropped'
