-- Why an id is requested again: the entry is missing, or a dish on its menu.
SELECT
    'the entry' AS what,
    tried_cnt,
    next_try_dt,
    problem
FROM ops.dictionary_lookups
WHERE id = %(id)s
UNION ALL
SELECT
    product_id AS what,
    tried_cnt,
    next_try_dt,
    'the known menu lacks the dish' AS problem
FROM ops.menu_lookups
WHERE restaurant_id = %(id)s
ORDER BY what
