-- The orders to count anew: those of the batch
{%- if changes == "orders" %}, and those that were counted with a
-- dish whose category at their time is another one now{% endif %}.
{#- makes: touched_orders #}
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
        c.order_id,
        TRUE AS is_by_reference
    FROM (SELECT DISTINCT product_id FROM changed_products) AS p
    INNER JOIN {{ dds }}.s_order_item AS i ON p.product_id = i.h_product_pk
    INNER JOIN {{ cdm }}.{{ mart }}_counted AS c
        ON
            i.order_id = c.order_id
            AND i.version_dt = c.version_dt
            AND i.hk_order_item_hashdiff = c.hk_order_item_hashdiff
    LEFT JOIN {{ cdm }}.{{ reference_table }} AS was
        ON
            p.product_id = was.product_id
            AND c.order_dt >= was.from_dt
            AND c.order_dt < was.until_dt
    LEFT JOIN reference_now AS now
        ON
            p.product_id = now.product_id
            AND c.order_dt >= now.from_dt
            AND c.order_dt < now.until_dt
    WHERE
        i.h_category_pk IS NULL
        AND was.category_id IS DISTINCT FROM now.category_id
    {%- endif %}
) AS touched
GROUP BY order_id
