-- Set the current names of the changed dishes.
UPDATE {{ cdm }}.{{ mart }} AS m
SET {{ label.column }} = l.{{ label.column }}
FROM {{ label_table }} AS l
WHERE
    m.{{ keys[-1] }} = l.{{ label.key }}
    AND l.{{ label.key }} IN (SELECT p.{{ looked_up.key }} FROM changed_products AS p)
    AND m.{{ label.column }} IS DISTINCT FROM l.{{ label.column }}
