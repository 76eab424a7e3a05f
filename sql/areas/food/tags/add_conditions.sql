-- Add the conditions of the active rules that are not applied yet.
INSERT INTO ops.tag_conditions AS t (kind, thing_id, tag, threshold, rule_id)
SELECT
    n.kind,
    n.thing_id,
    n.tag,
    n.threshold,
    n.rule_id
FROM (
    {{ conditions | indent }}
) AS n
ORDER BY n.kind, n.thing_id, n.tag, n.threshold, n.rule_id
ON CONFLICT (kind, thing_id, tag, threshold, rule_id) DO UPDATE
    SET state = 'new'
    WHERE t.state = 'dropped'
