-- Every row of cdm.{{ mart }} is what follows from the vault, and none is missing.
{#- #fail #}
WITH should AS MATERIALIZED (
    {{ recomputed | indent }}
),

missing AS (
    SELECT
        {{ columns | join(",\n        ") }}
    FROM should
    EXCEPT
    SELECT
        {{ columns | join(",\n        ") }}
    FROM cdm.{{ mart }}
),

wrong AS (
    SELECT
        {{ columns | join(",\n        ") }}
    FROM cdm.{{ mart }}
    EXCEPT
    SELECT
        {{ columns | join(",\n        ") }}
    FROM should
),

found AS (
    SELECT
        'should be' AS what,
        {{ columns | join(",\n        ") }}
    FROM missing
    UNION ALL
    SELECT
        'is' AS what,
        {{ columns | join(",\n        ") }}
    FROM wrong
    UNION ALL
    SELECT
        '{{ doubled }}' || doubled_order AS what,
        {{ columns | join(",\n        ") }}
    FROM should
    WHERE doubled_order IS NOT NULL
)

SELECT
    f.what,
    f.{{ columns | join(",\n    f.") }}
FROM found AS f
{%- if is_behind %}
-- What the mart has not counted yet is no difference: batch_orders has those orders.
WHERE
    starts_with(f.what, '{{ doubled }}')
    OR (
        {%- if guest %}
        NOT EXISTS (
            SELECT 1
            FROM batch_orders AS o
            INNER JOIN dds.s_order_version AS v ON o.order_id = v.order_id
            WHERE v.h_user_pk = f.{{ guest }}
        )
        {%- else %}
        NOT EXISTS (SELECT o.order_id FROM batch_orders AS o)
        {%- endif %}
        {%- if is_label_looked_up %}
        AND NOT EXISTS (
            SELECT 1
            FROM affected_products AS p
            WHERE p.h_product_pk = f.{{ keys[-1] }}
        )
        {%- endif %}
    )
{%- endif %}
ORDER BY starts_with(f.what, '{{ doubled }}') DESC, f.{{ keys | join(", f.") }}, f.what
