{%- set name, key = (order_keys.items() | list)[0] -%}
WITH moved AS MATERIALIZED (
    SELECT
        {{ guest_column }},
        {{ name }},
        sum(order_cnt)::bigint AS order_cnt
    FROM (
        SELECT
            o.{{ guest_column }},
            {{ key.of("o") }} AS {{ name }},
            -1 AS order_cnt
        FROM old_orders AS o
        UNION ALL
        SELECT
            n.{{ guest_column }},
            {{ key.of("n") }} AS {{ name }},
            1 AS order_cnt
        FROM new_orders AS n
    ) AS orders
    GROUP BY {{ guest_column }}, {{ name }}
    HAVING sum(order_cnt) <> 0
),

-- Where a guest had no order before, or has none any more.
visits AS MATERIALIZED (
    SELECT
        m.{{ guest_column }},
        m.{{ name }},
        CASE WHEN was.order_cnt = 0 THEN 1 ELSE -1 END AS guest_cnt
    FROM moved AS m
    CROSS JOIN LATERAL (
        SELECT count(*) AS order_cnt
        FROM (
            SELECT c.order_id
            FROM {{ cdm }}.{{ mart }}_counted AS c
            WHERE
                c.{{ guest_column }} = m.{{ guest_column }}
                AND {{ key.of("c") }} = m.{{ name }}
            LIMIT greatest(1, 1 - m.order_cnt)  -- whether it is 0 before, or then
        ) AS few
    ) AS was
    WHERE was.order_cnt = 0 OR was.order_cnt + m.order_cnt = 0
),

firsts AS (
    SELECT
        was.{{ name }} AS was,
        least(v.gained, kept.{{ name }}) AS is_now
    FROM (
        SELECT
            {{ guest_column }},
            min({{ name }}) FILTER (WHERE guest_cnt = 1) AS gained,
            coalesce(array_agg({{ name }}) FILTER (WHERE guest_cnt = -1), '{}') AS lost
        FROM visits
        GROUP BY {{ guest_column }}
    ) AS v
    LEFT JOIN LATERAL (
        SELECT {{ key.of("c") }} AS {{ name }}
        FROM {{ cdm }}.{{ mart }}_counted AS c
        WHERE c.{{ guest_column }} = v.{{ guest_column }}
        ORDER BY {{ key.of("c") }}
        LIMIT 1
    ) AS was ON TRUE
    LEFT JOIN LATERAL (
        SELECT {{ key.of("c") }} AS {{ name }}
        FROM {{ cdm }}.{{ mart }}_counted AS c
        WHERE
            c.{{ guest_column }} = v.{{ guest_column }}
            AND {{ key.of("c") }} <> all(v.lost)
        ORDER BY {{ key.of("c") }}
        LIMIT 1
    ) AS kept ON TRUE
)

SELECT
    {{ name }},
    sum(guest_cnt)::bigint AS guest_cnt,
    sum(new_guest_cnt)::bigint AS new_guest_cnt
FROM (
    SELECT
        {{ name }},
        guest_cnt,
        0 AS new_guest_cnt
    FROM visits
    UNION ALL
    SELECT
        was AS {{ name }},
        0 AS guest_cnt,
        -1 AS new_guest_cnt
    FROM firsts
    WHERE was IS DISTINCT FROM is_now AND was IS NOT NULL
    UNION ALL
    SELECT
        is_now AS {{ name }},
        0 AS guest_cnt,
        1 AS new_guest_cnt
    FROM firsts
    WHERE was IS DISTINCT FROM is_now AND is_now IS NOT NULL
) AS changes
GROUP BY {{ name }}
