-- Since when a dish has belonged to which category, by the menus (contract, section 4).
CREATE OR REPLACE VIEW {{ dds }}.v_product_category AS
SELECT
    p.h_product_pk,
    span.from_dt,
    span.until_dt,
    span.h_category_pk
FROM {{ dds }}.h_product AS p
CROSS JOIN LATERAL (
    WITH told_at AS (
        SELECT DISTINCT ON (line.version_dt)
            line.version_dt,
            line.h_category_pk
        FROM {{ dds }}.s_product_category AS line
        WHERE
            line.h_product_pk = p.h_product_pk
            AND {% filter indent(12) %}{% include "areas/food/dds/parts/in_force.sql" %}{% endfilter %}
        ORDER BY
            line.version_dt,
            {% filter indent(12) %}{% include "areas/food/dds/parts/restaurant_of_line.sql" %}{% endfilter %} DESC,
            line.line_no DESC
    ),

    numbered AS (
        SELECT
            version_dt,
            h_category_pk,
            row_number() OVER by_time AS number,
            lag(h_category_pk) OVER by_time AS category_before
        FROM told_at
        WINDOW by_time AS (ORDER BY version_dt)
    ),

    changes AS (
        SELECT
            -- Before the first known category, the first known one.
            CASE WHEN number = 1 THEN '-infinity' ELSE version_dt END AS from_dt,
            h_category_pk
        FROM numbered
        WHERE number = 1 OR h_category_pk IS DISTINCT FROM category_before
    )

    SELECT
        from_dt,
        lead(from_dt, 1, 'infinity') OVER (ORDER BY from_dt) AS until_dt,
        h_category_pk
    FROM changes
) AS span
