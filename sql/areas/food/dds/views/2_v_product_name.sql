-- What a dish is called now: by the newest menu, else by the newest order
-- (contract, section 4).
{%- from "areas/food/dds/parts/rank.sql" import newest_first %}
CREATE OR REPLACE VIEW {{ dds }}.v_product_name AS
SELECT
    p.h_product_pk,
    p.product_id,
    coalesce(menu.name, ordered.product_name) AS product_name,
    menu.name IS NOT NULL AS is_from_menu
FROM {{ dds }}.h_product AS p
LEFT JOIN LATERAL (
    SELECT line.name
    FROM {{ dds }}.s_product_names AS line
    WHERE
        line.h_product_pk = p.h_product_pk
        AND {% filter indent(8) %}{% include "areas/food/dds/parts/in_force.sql" %}{% endfilter %}
    ORDER BY
        line.version_dt DESC,
        {% filter indent(8) %}{% include "areas/food/dds/parts/restaurant_of_line.sql" %}{% endfilter %} DESC,
        line.line_no DESC
    LIMIT 1
) AS menu ON TRUE
LEFT JOIN LATERAL (
    SELECT i.product_name
    FROM {{ dds }}.s_order_item AS i
    INNER JOIN {{ dds }}.s_order_version AS v
        ON
            i.order_id = v.order_id
            AND i.version_dt = v.version_dt
            AND i.hk_order_item_hashdiff = v.hk_order_item_hashdiff
    WHERE
        i.h_product_pk = p.h_product_pk
        AND i.product_name IS NOT NULL
        AND menu.name IS NULL
        AND i.version_dt = (  -- by the index; the rank decides among a few
            SELECT max(l.version_dt)
            FROM {{ dds }}.s_order_item AS l
            WHERE l.h_product_pk = p.h_product_pk AND l.product_name IS NOT NULL
        )
    ORDER BY {{ newest_first("v") | replace("v.version_dt", "i.version_dt") }}, i.line_no DESC
    LIMIT 1
) AS ordered ON TRUE
