-- Enqueue the guests whose tags depend on a counter that has moved.
INSERT INTO ops.tags_waiting (user_id, tag)
SELECT
    d.{{ keys[0] }},
    t.tag
FROM deltas AS d
INNER JOIN ops.tag_conditions AS t ON d.{{ keys[-1] }} = t.thing_id
WHERE t.kind = '{{ tag_kind }}' AND d.order_cnt <> 0
