-- Keep every order that any of its versions ties to one of them. The versions have no
-- index by guest: all of them are read, once.
{#- keeps: planned_orders #}
CREATE TEMP TABLE planned_orders AS
SELECT
    v.h_user_pk,
    v.order_id
FROM {{ dds }}.s_order_version AS v
INNER JOIN planned_guests AS g ON v.h_user_pk = g.h_user_pk
