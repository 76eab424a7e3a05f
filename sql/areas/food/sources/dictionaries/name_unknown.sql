-- Record the ids in orders of this range that the dictionary does not know yet. Their
-- age counts from the load, which is never before the staging.
INSERT INTO ops.dictionary_lookups (
    id, first_staged_dt, tried_cnt, tried_dt, next_try_dt, problem
)
WITH versions AS MATERIALIZED (
    SELECT
        s.h_user_pk,
        s.h_restaurant_pk,
        s.load_dt
    FROM batch_ranges AS r
    CROSS JOIN LATERAL (
        SELECT
            v.h_user_pk,
            v.h_restaurant_pk,
            v.load_dt
        FROM dds.s_order_version AS v
        WHERE
            {{ in_range("v") | indent(12) }}
        OFFSET 0  -- one index scan per range, whatever the statistics say
    ) AS s
),

named AS (
    SELECT
        u.user_id AS id,
        v.loaded_dt
    FROM (
        SELECT
            h_user_pk,
            min(load_dt) AS loaded_dt
        FROM versions
        GROUP BY h_user_pk
    ) AS v
    INNER JOIN dds.h_user AS u ON v.h_user_pk = u.h_user_pk
    UNION ALL
    SELECT
        r.restaurant_id AS id,
        v.loaded_dt
    FROM (
        SELECT
            h_restaurant_pk,
            min(load_dt) AS loaded_dt
        FROM versions
        GROUP BY h_restaurant_pk
    ) AS v
    INNER JOIN dds.h_restaurant AS r ON v.h_restaurant_pk = r.h_restaurant_pk
)

SELECT
    named.id,
    min(named.loaded_dt) AS first_staged_dt,
    0 AS tried_cnt,
    %(load_dt)s AS tried_dt,
    %(load_dt)s AS next_try_dt,
    'not asked yet' AS problem
FROM named
WHERE
    NOT EXISTS (
        SELECT 1
        FROM stg.dictionary_entries AS d
        WHERE d.id = named.id
    )
GROUP BY named.id
ORDER BY named.id
ON CONFLICT (id) DO NOTHING
