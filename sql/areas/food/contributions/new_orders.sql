-- The newest version of each of them, where it counts.
{#- makes: new_orders #}
CREATE TEMP TABLE new_orders ON COMMIT DROP AS
SELECT
    t.order_id,
    t.is_by_reference,
    newest.h_user_pk,
    newest.version_dt,
    newest.hk_order_item_hashdiff,
    {%- for column in order_columns %}
    newest.{{ column }},
    {%- endfor %}
    h.order_dt
FROM touched_orders AS t
INNER JOIN {{ dds }}.h_order AS h ON t.order_id = h.order_id
{% with order = "t.order_id", columns = [
    "h_user_pk", "version_dt", "hk_order_item_hashdiff"
] + (order_columns | reject("eq", "status") | list) + ["status"] -%}
{% include "areas/food/dds/parts/newest_version.sql" %}
{%- endwith %}
WHERE newest.status = 'CLOSED'
