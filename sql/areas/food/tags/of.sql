-- Show the tags that a guest holds, each with every rule and counter that gives it.
WITH reasons AS (
    SELECT
        t.tag,
        t.rule_id,
        t.threshold,
        'product' AS kind,
        m.product_name AS name,
        h.product_id AS own_id,
        m.order_cnt
    FROM (
        {{ applied_conditions | indent(8) }}
    ) AS t
    INNER JOIN cdm.user_product_counters AS m
        ON t.thing_id = m.product_id AND t.threshold <= m.order_cnt
    INNER JOIN dds.h_product AS h ON m.product_id = h.h_product_pk
    WHERE t.kind = 'product' AND m.user_id = %(user_id)s
    UNION ALL
    SELECT
        t.tag,
        t.rule_id,
        t.threshold,
        'category' AS kind,
        m.category_name AS name,
        m.category_name AS own_id,
        m.order_cnt
    FROM (
        {{ applied_conditions | indent(8) }}
    ) AS t
    INNER JOIN cdm.user_category_counters AS m
        ON t.thing_id = m.category_id AND t.threshold <= m.order_cnt
    WHERE t.kind = 'category' AND m.user_id = %(user_id)s
)

SELECT
    u.tag,
    u.since_dt,
    r.rule_id,
    r.kind,
    r.name,
    r.own_id,
    r.order_cnt,
    r.threshold
FROM cdm.user_tags AS u
LEFT JOIN reasons AS r ON u.tag = r.tag
WHERE u.user_id = %(user_id)s AND u.until_dt IS NULL
ORDER BY u.tag, r.rule_id, r.own_id
