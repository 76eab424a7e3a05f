-- Leave out orders that count as they were counted: they add nothing.
WITH unchanged AS (
    DELETE FROM new_orders AS n
    USING old_orders AS o
    WHERE
        n.order_id = o.order_id
        AND n.h_user_pk = o.h_user_pk
        AND n.version_dt = o.version_dt
        AND n.hk_order_item_hashdiff IS NOT DISTINCT FROM o.hk_order_item_hashdiff
        {%- for column in order_columns %}
        AND n.{{ column }} IS NOT DISTINCT FROM o.{{ column }}
        {%- endfor %}
        AND n.order_dt = o.order_dt
        AND NOT n.is_by_reference
    RETURNING n.order_id
)

DELETE FROM old_orders AS o
USING unchanged AS u
WHERE o.order_id = u.order_id
