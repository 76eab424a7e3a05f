-- Show the rules, with how many dishes or categories each names now, and how many
-- guests hold its tag.
SELECT
    r.rule_id,
    r.kind,
    r.name,
    r.threshold,
    r.tag,
    r.active,
    CASE
        WHEN r.kind = 'product'
            THEN (
                SELECT count(*)
                FROM cdm.user_product_counters_names AS n
                WHERE n.product_name = r.name
            )
        ELSE (
            SELECT count(*)
            FROM dds.h_category AS c
            WHERE c.category_name = r.name
        )
    END AS things,
    coalesce(h.guests, 0) AS guests
FROM cdm.tag_rules AS r
LEFT JOIN (
    SELECT
        u.tag,
        count(*) AS guests
    FROM cdm.user_tags AS u
    WHERE u.until_dt IS NULL
    GROUP BY u.tag
) AS h ON r.tag = h.tag
ORDER BY r.tag, r.kind, r.name, r.threshold, r.rule_id
