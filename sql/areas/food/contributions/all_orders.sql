-- The newest version of every order that counts.
{%- from "areas/food/dds/parts/rank.sql" import newest_first %}
SELECT
    newest.order_id,
    newest.h_user_pk,
    newest.version_dt,
    newest.hk_order_item_hashdiff,
    {%- for column in order_columns %}
    newest.{{ column }},
    {%- endfor %}
    h.order_dt
FROM (
    SELECT DISTINCT ON (v.order_id)
        v.order_id,
        v.h_user_pk,
        v.version_dt,
        v.hk_order_item_hashdiff,
        {%- for column in order_columns if column != "status" %}
        v.{{ column }},
        {%- endfor %}
        v.status
    FROM {{ dds }}.s_order_version AS v
    ORDER BY v.order_id, {{ newest_first("v") }}
) AS newest
INNER JOIN {{ dds }}.h_order AS h ON newest.order_id = h.order_id
WHERE newest.status = 'CLOSED'
