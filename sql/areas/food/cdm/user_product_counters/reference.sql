-- The name of each dish now.
SELECT
    n.h_product_pk AS product_id,
    n.product_name,
    n.is_from_menu
FROM {{ dds }}.v_product_name AS n
{%- if products %}
WHERE n.h_product_pk IN (SELECT p.h_product_pk FROM {{ products }} AS p)
{%- endif %}
