-- Every order that any of its versions ties to one of these guests.
{#- makes: touched_orders #}
CREATE TEMP TABLE touched_orders ON COMMIT DROP AS
SELECT DISTINCT
    v.order_id,
    FALSE AS is_by_reference
FROM {{ dds }}.s_order_version AS v
WHERE v.h_user_pk IN (SELECT g.h_user_pk FROM touched_guests AS g)
