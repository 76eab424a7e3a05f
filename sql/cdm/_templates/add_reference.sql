-- Put in what it looks up for them from now on.
INSERT INTO cdm.{{ reference_table }} ({{ reference_columns | join(", ") }})
SELECT {{ reference_columns | join(", ") }}
FROM reference_now
WHERE product_id IN (SELECT product_id FROM changed_products)
ORDER BY {{ reference_key | join(", ") }}
