-- Find why each entry that was read counts as missing; NULL if it does not.
CREATE TEMP TABLE judged_entries ON COMMIT DROP AS
WITH read_entries AS (
    SELECT
        f.id,
        stg.jsonb_or_null(f.value) AS entry,
        f.value IS NULL AS is_missing
    FROM found_entries AS f
)

SELECT
    id,
    entry,
    CASE
        WHEN is_missing THEN 'there is no such key, or it holds no string'
        WHEN entry IS NULL THEN 'the value is not JSON'
        WHEN jsonb_typeof(entry) <> 'object' THEN 'the value is no object'
        WHEN entry -> '_id' IS DISTINCT FROM to_jsonb(id)
            THEN '_id differs from the key'
        WHEN
            jsonb_typeof(entry -> 'name') IS DISTINCT FROM 'string'
            OR char_length(entry ->> 'name') > 1000
            THEN 'there is no usable name'
        WHEN
            jsonb_path_query_first(
                entry -> 'update_ts_utc',
                '$.datetime("YYYY-MM-DD HH24:MI:SS")',
                '{}',
                TRUE
            ) #>> '{}' IS DISTINCT FROM replace(entry ->> 'update_ts_utc', ' ', 'T')
            OR jsonb_typeof(entry -> 'update_ts_utc') IS DISTINCT FROM 'string'
            OR char_length(entry ->> 'update_ts_utc') <> 19  -- years of 5 digits
            THEN 'there is no usable update_ts_utc'
    END AS problem
FROM read_entries
