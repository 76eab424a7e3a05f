-- One row per order: its newest version, by the rank of the contract's section 1.
CREATE OR REPLACE VIEW dds.v_order AS
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
FROM dds.h_order AS o
CROSS JOIN LATERAL (
    SELECT
        v.h_user_pk,
        v.h_restaurant_pk,
        v.status,
        v.cost,
        v.payment,
        v.version_dt,
        v.hk_order_item_hashdiff,
        v.statuses
    FROM dds.s_order_version AS v
    WHERE v.order_id = o.order_id
    ORDER BY {{ newest_first("v") }}
    LIMIT 1
) AS newest
INNER JOIN dds.h_user AS u ON newest.h_user_pk = u.h_user_pk
INNER JOIN dds.h_restaurant AS r ON newest.h_restaurant_pk = r.h_restaurant_pk
