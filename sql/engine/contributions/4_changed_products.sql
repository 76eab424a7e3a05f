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
        WHERE product_id IN (SELECT p.h_product_pk FROM affected_products AS p)
    )
    UNION ALL
    (
        SELECT
            {{ reference_columns | join(",\n            ") }}
        FROM {{ cdm }}.{{ reference_table }}
        WHERE product_id IN (SELECT p.h_product_pk FROM affected_products AS p)
        EXCEPT
        SELECT
            {{ reference_columns | join(",\n            ") }}
        FROM reference_now
    )
)
