-- Which columns a table has, in their order; none if it isn't there.
SELECT
    a.attname::text,
    pg_catalog.format_type(a.atttypid, a.atttypmod),
    a.attnotnull,
    a.attcollation = '"C"'::regcollation
FROM pg_catalog.pg_attribute AS a
WHERE
    a.attrelid = to_regclass(%(table)s)
    AND a.attnum > 0
    AND NOT a.attisdropped
ORDER BY a.attnum
