-- The conditions of the active rules: a row per rule and dish or category of its name.
SELECT
    'product' AS kind,
    n.product_id AS thing_id,
    r.tag,
    r.threshold,
    r.rule_id
FROM cdm.tag_rules AS r
INNER JOIN cdm.user_product_counters_names AS n ON r.name = n.product_name
WHERE r.kind = 'product' AND r.active
UNION ALL
SELECT
    'category' AS kind,
    -- A category's key follows from its name.
    uuid_generate_v5(%(namespace)s, r.name) AS thing_id,
    r.tag,
    r.threshold,
    r.rule_id
FROM cdm.tag_rules AS r
WHERE r.kind = 'category' AND r.active
