-- Insert the new reference of the changed dishes.
INSERT INTO {{ cdm }}.{{ reference_table }} ({{ reference_columns | join(", ") }})
SELECT
    {{ reference_columns | join(",\n    ") }}
FROM reference_now
WHERE product_id IN (SELECT p.product_id FROM changed_products AS p)
ORDER BY {{ reference_key | join(", ") }}
