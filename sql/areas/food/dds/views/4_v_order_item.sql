-- The dishes of each order's newest version, one row per line of the message.
CREATE OR REPLACE VIEW {{ dds }}.v_order_item AS
SELECT
    o.h_order_pk,
    o.order_id,
    p.product_id,
    dish.product_name,
    coalesce(own.category_name, dish.category_name) AS category_name,
    i.quantity,
    i.price,
    i.line_no,
    o.order_dt,
    o.user_id,
    o.restaurant_id,
    o.status
FROM {{ dds }}.v_order AS o
INNER JOIN {{ dds }}.s_order_item AS i
    ON
        o.order_id = i.order_id
        -- Of all an order's lines nearly all are the newest version's. The planner
        -- takes equalities for independent, would expect one line of millions and join
        -- by loops; a CASE that is not null it expects to be true.
        AND CASE
            WHEN
                o.version_dt = i.version_dt
                AND o.hk_order_item_hashdiff = i.hk_order_item_hashdiff
                THEN TRUE
        END IS NOT NULL
-- At most eight relations (join_collapse_limit), so that a dish may come first.
LEFT JOIN (  -- noqa: ST11
    {{ dds }}.h_product AS p
    LEFT JOIN LATERAL (
        SELECT
            n.product_name,
            s.from_dt,
            s.until_dt,
            c.category_name
        FROM {{ dds }}.v_product_name AS n
        LEFT JOIN {{ dds }}.v_product_category AS s ON n.h_product_pk = s.h_product_pk
        LEFT JOIN {{ dds }}.h_category AS c ON s.h_category_pk = c.h_category_pk
        WHERE n.h_product_pk = p.h_product_pk
        OFFSET 0  -- one relation to the planner, looked up once per dish
    ) AS dish ON TRUE
)
    ON
        i.h_product_pk = p.h_product_pk
        AND (
            dish.from_dt IS NULL
            OR (o.order_dt >= dish.from_dt AND o.order_dt < dish.until_dt)
        )
LEFT JOIN {{ dds }}.h_category AS own ON i.h_category_pk = own.h_category_pk
