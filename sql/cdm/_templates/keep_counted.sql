-- Remember which version of each order was counted.
WITH changed AS (
    UPDATE cdm.{{ mart }}_counted AS c
    SET
        h_user_pk = n.h_user_pk,
        version_dt = n.version_dt,
        hk_order_item_hashdiff = n.hk_order_item_hashdiff,
        order_dt = n.order_dt
    FROM new_orders AS n
    WHERE
        c.order_id = n.order_id
        AND n.order_id IN (SELECT o.order_id FROM old_orders AS o)
        AND (c.h_user_pk, c.version_dt, c.hk_order_item_hashdiff, c.order_dt)
        IS DISTINCT FROM (
            n.h_user_pk, n.version_dt, n.hk_order_item_hashdiff, n.order_dt
        )
)

INSERT INTO cdm.{{ mart }}_counted (
    order_id, h_user_pk, version_dt, hk_order_item_hashdiff, order_dt
)
SELECT
    order_id,
    h_user_pk,
    version_dt,
    hk_order_item_hashdiff,
    order_dt
FROM new_orders
WHERE order_id NOT IN (SELECT o.order_id FROM old_orders AS o)
ORDER BY order_id
