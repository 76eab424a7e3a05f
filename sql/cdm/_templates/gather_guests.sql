-- Keep the guests of a plan whom any version of its orders names: those not done yet.
{#- makes: planned_guests #}
CREATE TEMP TABLE planned_guests AS
SELECT DISTINCT v.h_user_pk
FROM batch_orders AS o
INNER JOIN dds.s_order_version AS v ON o.order_id = v.order_id
WHERE v.h_user_pk > %(done_until)s
