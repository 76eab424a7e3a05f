{%- set kept = counted[1:] -%}
-- Record which version of each order was counted.
WITH changed AS (
    UPDATE {{ cdm }}.{{ mart }}_counted AS c
    SET
        {%- for column in kept %}
        {{ column }} = n.{{ column }}{{ "," if not loop.last }}
        {%- endfor %}
    FROM new_orders AS n
    WHERE
        c.order_id = n.order_id
        AND n.order_id IN (SELECT o.order_id FROM old_orders AS o)
        AND (
            c.{{ kept | join(",\n            c.") }}
        )
        IS DISTINCT FROM (
            n.{{ kept | join(",\n            n.") }}
        )
)

INSERT INTO {{ cdm }}.{{ mart }}_counted (
    {{ counted | join(", ") }}
)
SELECT
    {{ counted | join(",\n    ") }}
FROM new_orders
WHERE order_id NOT IN (SELECT o.order_id FROM old_orders AS o)
ORDER BY order_id
