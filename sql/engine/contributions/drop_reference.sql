-- Delete the old reference of the changed dishes.
DELETE FROM {{ cdm }}.{{ reference_table }}
WHERE product_id IN (SELECT p.product_id FROM changed_products AS p)
