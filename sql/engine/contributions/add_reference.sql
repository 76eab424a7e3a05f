-- Insert the new reference of the changed dishes.
INSERT INTO {{ cdm }}.{{ reference_table }} ({{ reference_columns | join(", ") }})
SELECT
    {{ reference_columns | join(",\n    ") }}
FROM reference_now
WHERE {{ looked_up.key }} IN (SELECT p.{{ looked_up.key }} FROM changed_products AS p)
ORDER BY {{ reference_key | join(", ") }}
