-- Those of them that count for one of these guests.
{#- makes: guest_orders #}
CREATE TEMP TABLE guest_orders ON COMMIT DROP AS
SELECT
    o.order_id,
    {%- for column in counted[1:] %}
    o.{{ column }}{{ "," if not loop.last }}
    {%- endfor %}
FROM new_orders AS o
INNER JOIN touched_guests AS g ON o.{{ guest_column }} = g.{{ guest_column }}
