-- Count the guests to whom one rule gives its tag, and no other rule of the tag does.
WITH things AS MATERIALIZED (
    {%- if kind == "product" %}
    SELECT n.product_id AS thing_id
    FROM cdm.user_product_counters_names AS n
    WHERE n.product_name = %(name)s
    {%- else %}
    -- A category's key follows from its name.
    SELECT uuid_generate_v5(%(namespace)s, %(name)s) AS thing_id
    {%- endif %}
),

rules AS (
    SELECT
        r.kind,
        r.name,
        r.threshold
    FROM jsonb_to_recordset(%(others)s) AS r (kind text, name text, threshold bigint)
),

others AS MATERIALIZED (
    SELECT
        r.kind,
        n.product_id AS thing_id,
        r.threshold
    FROM rules AS r
    INNER JOIN cdm.user_product_counters_names AS n ON r.name = n.product_name
    WHERE r.kind = 'product'
    UNION ALL
    SELECT
        r.kind,
        uuid_generate_v5(%(namespace)s, r.name) AS thing_id,
        r.threshold
    FROM rules AS r
    WHERE r.kind = 'category'
)

SELECT count(*)
FROM (
    SELECT DISTINCT m.user_id
    FROM things AS t
    INNER JOIN cdm.{{ marts[kind].name }} AS m
        ON t.thing_id = m.{{ marts[kind].keys[1] }} AND m.order_cnt >= %(threshold)s
    WHERE
        TRUE
        {%- for other, mart in marts.items() %}
        AND NOT EXISTS (
            SELECT 1
            FROM others AS o
            INNER JOIN cdm.{{ mart.name }} AS x
                ON
                    o.thing_id = x.{{ mart.keys[1] }}
                    AND m.user_id = x.user_id
                    AND o.threshold <= x.order_cnt
            WHERE o.kind = '{{ other }}'
        )
        {%- endfor %}
    LIMIT %(most)s
) AS guests
