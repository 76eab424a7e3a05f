-- The dishes whose reference differs from what the mart has counted with.
{#- makes: changed_products #}
CREATE TEMP TABLE changed_products ON COMMIT DROP AS
(
    (
        SELECT
            {{ reference_columns | join(",\n            ") }}
        FROM reference_now
        EXCEPT
        SELECT
            {{ reference_columns | join(",\n            ") }}
        FROM {{ cdm }}.{{ reference_table }}
        WHERE {{ looked_up.key }} IN (SELECT p.{{ looked_up.column }} FROM affected_products AS p)
    )
    UNION ALL
    (
        SELECT
            {{ reference_columns | join(",\n            ") }}
        FROM {{ cdm }}.{{ reference_table }}
        WHERE {{ looked_up.key }} IN (SELECT p.{{ looked_up.column }} FROM affected_products AS p)
        EXCEPT
        SELECT
            {{ reference_columns | join(",\n            ") }}
        FROM reference_now
    )
)
