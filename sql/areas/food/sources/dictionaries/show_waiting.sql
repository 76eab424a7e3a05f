-- What an id is asked for again for: the entry itself, or a dish that its menu lacks.
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
