-- Keep the guests in any version of a plan's orders: those not done yet.
{#- keeps: planned_guests #}
CREATE TEMP TABLE planned_guests AS
SELECT DISTINCT v.h_user_pk
FROM batch_orders AS o
CROSS JOIN LATERAL (
    SELECT s.h_user_pk
    FROM {{ dds }}.s_order_version AS s
    WHERE s.order_id = o.order_id
    OFFSET 0  -- one look-up per order: a condition on the guest must not come first
) AS v
WHERE v.h_user_pk > %(done_until)s
