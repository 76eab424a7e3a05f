-- The names of the guests and restaurants of these orders.
{#- makes: due_names #}
CREATE TEMP TABLE due_names ON COMMIT DROP AS
SELECT
    TRUE AS is_guest,
    u.h_user_pk AS key,
    u.user_id AS id,
    u.username AS name,
    u.userlogin AS login
FROM dds.v_user_name AS u
WHERE u.h_user_pk IN (SELECT o.h_user_pk FROM due_orders AS o)
UNION ALL
SELECT
    FALSE AS is_guest,
    r.h_restaurant_pk AS key,
    r.restaurant_id AS id,
    r.restaurant_name AS name,
    NULL AS login
FROM dds.v_restaurant_name AS r
WHERE r.h_restaurant_pk IN (SELECT o.h_restaurant_pk FROM due_orders AS o)
