-- Which columns a table has, in their order; none if it isn't there.
SELECT
    a.attname::text AS name,
    pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
    a.attnotnull AS is_given,
    a.attcollation = '"C"'::regcollation AS is_by_bytes
FROM pg_catalog.pg_attribute AS a
WHERE
    a.attrelid = to_regclass(%(table)s)
    AND a.attnum > 0
    AND NOT a.attisdropped
ORDER BY a.attnum
