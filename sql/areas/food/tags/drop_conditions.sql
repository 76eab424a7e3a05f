-- Mark the conditions that no active rule has any more.
UPDATE ops.tag_conditions AS t
SET state = 'dropped'
WHERE
    t.state <> 'dropped'
    AND NOT EXISTS (
        SELECT 1
        FROM (
            {{ conditions | indent(12) }}
        ) AS n
        WHERE
            n.kind = t.kind
            AND n.thing_id = t.thing_id
            AND n.tag = t.tag
            AND n.threshold = t.threshold
            AND n.rule_id = t.rule_id
    )
