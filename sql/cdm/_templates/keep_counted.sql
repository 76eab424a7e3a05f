-- Remember which version of each order was counted.
INSERT INTO cdm.{{ mart }}_counted AS c (
    order_id, h_user_pk, version_dt, hk_order_item_hashdiff, order_dt
)
SELECT
    order_id,
    h_user_pk,
    version_dt,
    hk_order_item_hashdiff,
    order_dt
FROM new_orders
ORDER BY order_id
ON CONFLICT (order_id) DO UPDATE
    SET
        h_user_pk = excluded.h_user_pk,
        version_dt = excluded.version_dt,
        hk_order_item_hashdiff = excluded.hk_order_item_hashdiff,
        order_dt = excluded.order_dt
    WHERE (c.h_user_pk, c.version_dt, c.hk_order_item_hashdiff, c.order_dt)
    IS DISTINCT FROM (
        excluded.h_user_pk,
        excluded.version_dt,
        excluded.hk_order_item_hashdiff,
        excluded.order_dt
    )
