-- The orders to count anew: those of the batch
{%- if changes == "orders" %}, and all that have a changed dish{% endif %}.
CREATE TEMP TABLE touched_orders ON COMMIT DROP AS
SELECT
    order_id,
    bool_or(is_by_reference) AS is_by_reference
FROM (
    SELECT
        order_id,
        FALSE AS is_by_reference
    FROM batch_orders
    {%- if changes == "orders" %}
    UNION ALL
    SELECT
        i.order_id,
        TRUE AS is_by_reference
    FROM changed_products AS p
    INNER JOIN dds.s_order_item AS i ON p.product_id = i.h_product_pk
    WHERE i.h_category_pk IS NULL
    {%- endif %}
) AS touched
GROUP BY order_id
