-- The guests who had a dish whose reference was wrong.
{#- makes: touched_guests #}
CREATE TEMP TABLE touched_guests ON COMMIT DROP AS
{%- if guest %}
SELECT DISTINCT v.h_user_pk
FROM changed_products AS p
INNER JOIN {{ dds }}.s_order_item AS i ON p.product_id = i.h_product_pk
INNER JOIN {{ dds }}.s_order_version AS v ON i.order_id = v.order_id
WHERE i.h_category_pk IS NULL
{%- else %}
{#- Rows belong to no guest: all orders are counted. #}
SELECT u.h_user_pk
FROM {{ dds }}.h_user AS u
WHERE EXISTS (SELECT p.product_id FROM changed_products AS p)
{%- endif %}
