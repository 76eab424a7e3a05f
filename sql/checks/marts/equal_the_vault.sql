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
    {{ doubled_rows | indent }}
)

SELECT
    f.what,
    f.{{ columns | join(",\n    f.") }}
FROM found AS f
{%- if left_out %}
-- What the mart has not taken yet is no difference.
WHERE
    starts_with(f.what, '{{ doubled }}')
    OR (
        {{ left_out | indent(8) }}
    )
{%- endif %}
ORDER BY starts_with(f.what, '{{ doubled }}') DESC, f.{{ keys | join(", f.") }}, f.what
