-- Delete the old reference of the changed dishes.
DELETE FROM {{ cdm }}.{{ reference_table }}
WHERE {{ looked_up.key }} IN (SELECT p.{{ looked_up.key }} FROM changed_products AS p)
