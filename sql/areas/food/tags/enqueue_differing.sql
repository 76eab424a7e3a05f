-- Enqueue the guests of a range of positions, with the tags that they lack or have too
-- much.
WITH guests AS MATERIALIZED (
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
),

due AS (
    {{ due_to_guests | indent }}
),

held AS (
    SELECT
        u.user_id,
        u.tag
    FROM guests AS g
    INNER JOIN cdm.user_tags AS u ON g.user_id = u.user_id
    WHERE u.until_dt IS NULL
)

INSERT INTO ops.tags_waiting (user_id, tag)
(
    SELECT
        user_id,
        tag
    FROM due
    EXCEPT
    SELECT
        user_id,
        tag
    FROM held
)
UNION ALL
(
    SELECT
        user_id,
        tag
    FROM held
    EXCEPT
    SELECT
        user_id,
        tag
    FROM due
)
ORDER BY user_id, tag
