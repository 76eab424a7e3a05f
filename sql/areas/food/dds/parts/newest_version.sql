{%- from "areas/food/dds/parts/rank.sql" import newest_first -%}
CROSS JOIN LATERAL (
    SELECT
        v.{{ columns | join(",\n        v.") }}
    FROM {{ dds }}.s_order_version AS v
    WHERE v.order_id = {{ order }}
    ORDER BY {{ newest_first("v") }}
    LIMIT 1
) AS newest
