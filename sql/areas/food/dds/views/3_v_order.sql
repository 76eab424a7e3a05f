-- One row per order: its newest version, by the rank of the contract's section 1.
{%- from "areas/food/dds/parts/rank.sql" import outranks %}
CREATE OR REPLACE VIEW {{ dds }}.v_order AS
SELECT
    o.h_order_pk,
    o.order_id,
    o.order_dt,
    u.user_id,
    r.restaurant_id,
    newest.status,
    newest.cost,
    newest.payment,
    newest.version_dt,
    newest.hk_order_item_hashdiff,
    newest.statuses
FROM {{ dds }}.s_order_version AS newest
INNER JOIN {{ dds }}.h_order AS o ON newest.order_id = o.order_id
-- Both always exist; LEFT lets a query that uses neither leave them out.
LEFT JOIN {{ dds }}.h_user AS u ON newest.h_user_pk = u.h_user_pk
LEFT JOIN {{ dds }}.h_restaurant AS r ON newest.h_restaurant_pk = r.h_restaurant_pk
-- An anti-join suits the whole read and, by an index, the orders of a guest or a day; a
-- subquery with LIMIT or DISTINCT would suit one of them.
WHERE
    NOT EXISTS (
        SELECT 1
        FROM {{ dds }}.s_order_version AS later
        WHERE
            later.order_id = newest.order_id
            AND later.version_dt >= newest.version_dt  -- follows; the index can use it
            AND {{ outranks("later", "newest") }}
    )
