-- The version of each of them that was counted.
{#- makes: old_orders #}
CREATE TEMP TABLE old_orders ON COMMIT DROP AS
SELECT
    t.order_id,
    t.is_by_reference,
    {%- for column in counted[1:] %}
    c.{{ column }}{{ "," if not loop.last }}
    {%- endfor %}
FROM touched_orders AS t
INNER JOIN {{ cdm }}.{{ mart }}_counted AS c ON t.order_id = c.order_id
