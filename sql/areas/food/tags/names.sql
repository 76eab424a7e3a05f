-- Return the names that rules of each kind can have, from the marts.
SELECT
    'product' AS kind,
    n.product_name AS name
FROM cdm.user_product_counters_names AS n
WHERE n.product_name IS NOT NULL
UNION
SELECT
    'category' AS kind,
    c.category_name AS name
FROM dds.h_category AS c
