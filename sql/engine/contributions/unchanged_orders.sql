-- Leave out orders that count as they were counted: they add nothing.
WITH unchanged AS (
    DELETE FROM new_orders AS n
    USING old_orders AS o
    WHERE
        n.order_id = o.order_id
        {%- for column in counted[1:] %}
        AND n.{{ column }} {{ "IS NOT DISTINCT FROM" if column in nullable else "=" }} o.{{ column }}
        {%- endfor %}
        AND NOT n.is_by_reference
    RETURNING n.order_id
)

DELETE FROM old_orders AS o
USING unchanged AS u
WHERE o.order_id = u.order_id
