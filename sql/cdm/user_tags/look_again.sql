-- Let the guests of a range of positions wait, with all tags there are.
WITH guests AS (
    SELECT DISTINCT v.h_user_pk AS user_id
    FROM batch_ranges AS r
    CROSS JOIN LATERAL (
        SELECT s.order_id
        FROM dds.s_order_version AS s
        WHERE
            {{ in_range("s") | indent(12) }}
        OFFSET 0  -- one index scan per range, whatever the statistics say
    ) AS touched
    INNER JOIN dds.s_order_version AS v ON touched.order_id = v.order_id
)

INSERT INTO ops.tags_waiting (user_id, tag)
SELECT
    g.user_id,
    t.tag
FROM guests AS g
CROSS JOIN ops.tag_conditions AS t
UNION
SELECT
    u.user_id,
    u.tag
FROM guests AS g
INNER JOIN cdm.user_tags AS u ON g.user_id = u.user_id
WHERE u.until_dt IS NULL
ORDER BY user_id, tag
