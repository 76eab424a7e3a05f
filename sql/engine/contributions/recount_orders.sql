-- Those of them that count for one of these guests.
{#- makes: guest_orders #}
CREATE TEMP TABLE guest_orders ON COMMIT DROP AS
SELECT
    o.order_id,
    o.h_user_pk,
    o.version_dt,
    o.hk_order_item_hashdiff,
    {%- for column in order_columns %}
    o.{{ column }},
    {%- endfor %}
    o.order_dt
FROM new_orders AS o
INNER JOIN touched_guests AS g ON o.h_user_pk = g.h_user_pk
