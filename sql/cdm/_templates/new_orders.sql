-- The newest version of each of them, where it counts.
{#- makes: new_orders #}
CREATE TEMP TABLE new_orders ON COMMIT DROP AS
SELECT
    t.order_id,
    t.is_by_reference,
    newest.h_user_pk,
    newest.version_dt,
    newest.hk_order_item_hashdiff,
    h.order_dt
FROM touched_orders AS t
INNER JOIN dds.h_order AS h ON t.order_id = h.order_id
CROSS JOIN LATERAL (
    SELECT
        v.h_user_pk,
        v.version_dt,
        v.hk_order_item_hashdiff,
        v.status
    FROM dds.s_order_version AS v
    WHERE v.order_id = t.order_id
    ORDER BY {{ newest_first("v") }}
    LIMIT 1
) AS newest
WHERE newest.status = 'CLOSED'
