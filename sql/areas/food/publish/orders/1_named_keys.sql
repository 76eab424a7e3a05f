-- The guests, restaurants and dishes that got a name or a category in this range.
{#- makes: told_keys #}
CREATE TEMP TABLE told_keys ON COMMIT DROP AS
SELECT DISTINCT told.key
FROM batch_ranges AS r
CROSS JOIN LATERAL (
    {%- for table, key in (
        ("s_user_names", "h_user_pk"),
        ("s_restaurant_names", "h_restaurant_pk"),
        ("s_product_category", "h_product_pk"),
    ) %}
    (
        SELECT s.{{ key }} AS key
        FROM dds.{{ table }} AS s
        WHERE
            {{ in_range("s") | indent(12) }}
        OFFSET 0  -- one index scan per range, whatever the statistics say
    )
    {%- if not loop.last %}
    UNION ALL
    {%- endif %}
    {%- endfor %}
) AS told
