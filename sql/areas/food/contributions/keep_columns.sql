-- Keep further columns of the orders that were counted: of the version that was.
{%- from "areas/food/dds/parts/rank.sql" import newest_first %}
UPDATE {{ cdm }}.{{ mart }}_counted AS c
SET
    ({{ lacking | join(", ") }}) = (
        SELECT v.{{ lacking | join(", v.") }}
        FROM {{ dds }}.s_order_version AS v
        WHERE
            v.order_id = c.order_id
            AND v.version_dt = c.version_dt
            AND v.h_user_pk = c.h_user_pk
            AND v.hk_order_item_hashdiff IS NOT DISTINCT FROM c.hk_order_item_hashdiff
            AND v.status = 'CLOSED'
        ORDER BY {{ newest_first("v") }}
        LIMIT 1
    )
