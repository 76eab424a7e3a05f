-- Correct the names of these guests' rows.
UPDATE cdm.{{ mart }} AS m
SET {{ label.column }} = s.{{ label.column }}
FROM recounted AS s
WHERE
    m.{{ keys[0] }} = s.{{ keys[0] }}
    AND m.{{ keys[1] }} = s.{{ keys[1] }}
    AND m.{{ label.column }} IS DISTINCT FROM s.{{ label.column }}
