-- The conditions that the stage has taken up, and that still hold.
SELECT
    kind,
    thing_id,
    tag,
    threshold,
    rule_id
FROM ops.tag_conditions
WHERE state <> 'dropped'
