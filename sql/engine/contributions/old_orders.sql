-- The version of each of them that was counted.
{#- makes: old_orders #}
CREATE TEMP TABLE old_orders ON COMMIT DROP AS
SELECT
    t.order_id,
    t.is_by_reference,
    c.h_user_pk,
    c.version_dt,
    c.hk_order_item_hashdiff,
    {%- for column in order_columns %}
    c.{{ column }},
    {%- endfor %}
    c.order_dt
FROM touched_orders AS t
INNER JOIN {{ cdm }}.{{ mart }}_counted AS c ON t.order_id = c.order_id
