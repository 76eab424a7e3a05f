-- Log the keys of these rows for the copy in another database, where there is one.
INSERT INTO ops.mart_changes (mart, key)
SELECT
    c.mart,
    ARRAY[d.{{ keys | join("::text, d.") }}::text] AS key
FROM ops.mart_copies AS c
CROSS JOIN differing AS d
WHERE c.mart = '{{ mart }}'
ORDER BY d.{{ keys | join(", d.") }}
