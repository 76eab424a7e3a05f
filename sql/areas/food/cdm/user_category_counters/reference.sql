-- Since when each dish belongs to which category.
SELECT
    s.h_product_pk AS product_id,
    s.from_dt,
    s.until_dt,
    s.h_category_pk AS category_id
FROM {{ dds }}.v_product_category AS s
{%- if products %}
WHERE s.h_product_pk IN (SELECT p.h_product_pk FROM {{ products }} AS p)
{%- endif %}
