-- Every row of cdm.{{ mart }} is in its copy, and none is there that isn't in the mart.
{#- #fail #}
WITH found AS (
    SELECT
        'should be' AS what,
        m.{{ columns | join(",\n        m.") }}
    FROM (
        SELECT
            {{ columns | join(",\n            ") }}
        FROM cdm.{{ mart }}
        EXCEPT
        SELECT
            {{ columns | join(",\n            ") }}
        FROM copied
    ) AS m
    UNION ALL
    SELECT
        'is' AS what,
        c.{{ columns | join(",\n        c.") }}
    FROM (
        SELECT
            {{ columns | join(",\n            ") }}
        FROM copied
        EXCEPT
        SELECT
            {{ columns | join(",\n            ") }}
        FROM cdm.{{ mart }}
    ) AS c
)

SELECT
    f.what,
    f.{{ columns | join(",\n    f.") }}
FROM found AS f
-- What the copy has not taken yet is no difference.
WHERE
    NOT EXISTS (
        SELECT 1
        FROM ops.mart_changes AS o
        WHERE
            o.mart = '{{ mart }}'
            AND o.change_id > %(since)s
            AND o.key = ARRAY[f.{{ keys | join("::text, f.") }}::text]
    )
ORDER BY f.{{ keys | join(", f.") }}, f.what
