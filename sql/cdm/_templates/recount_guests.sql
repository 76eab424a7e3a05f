-- The guests that any version of these orders names
{%- if changes == "orders" %}, and those who had a dish that was looked up wrong{% endif %}.
{#- makes: touched_guests #}
CREATE TEMP TABLE touched_guests ON COMMIT DROP AS
{%- if guest %}
SELECT v.h_user_pk
FROM batch_orders AS o
INNER JOIN dds.s_order_version AS v ON o.order_id = v.order_id
{%- if changes == "orders" %}
UNION
SELECT v.h_user_pk
FROM changed_products AS p
INNER JOIN dds.s_order_item AS i ON p.product_id = i.h_product_pk
INNER JOIN dds.s_order_version AS v ON i.order_id = v.order_id
WHERE i.h_category_pk IS NULL
{%- endif %}
EXCEPT
SELECT g.h_user_pk
FROM recounted_guests AS g
{%- if changes == "orders" %}
WHERE NOT EXISTS (SELECT FROM changed_products)
{%- endif %}
{%- else %}
{#- Its rows are nobody's: all orders are counted, once in a reload. #}
SELECT u.h_user_pk
FROM dds.h_user AS u
WHERE
    EXISTS (
        SELECT x.h_user_pk
        FROM dds.h_user AS x
        EXCEPT
        SELECT g.h_user_pk
        FROM recounted_guests AS g
    )
    {%- if changes == "orders" %}
    OR EXISTS (SELECT FROM changed_products)
    {%- endif %}
{%- endif %}
