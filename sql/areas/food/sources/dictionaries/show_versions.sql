-- The versions of an entry, newest first; of one time the one staged later counts.
SELECT
    version_dt,
    staged_dt,
    entry ->> 'name' AS name,
    entry ->> 'login' AS login,
    CASE
        WHEN jsonb_typeof(entry -> 'menu') = 'array'
            THEN jsonb_array_length(entry -> 'menu')
    END AS dishes
FROM stg.dictionary_entries
WHERE id = %(id)s
ORDER BY version_dt DESC, kafka_offset DESC
