-- Assign a version to each changed guest; no other session does so until the commit.
UPDATE ops.tag_versions
SET
    last_version = (
        -- Microseconds since 1970, not 1: a warehouse that was rebuilt, or restored
        -- from a backup, must not assign versions that the app has seen already.
        greatest(last_version, (extract(EPOCH FROM %(load_dt)s) * 1000000)::bigint)
        + c.guests
    )
FROM (
    SELECT count(DISTINCT user_id) AS guests
    FROM changed_guests
) AS c
WHERE c.guests > 0
RETURNING last_version, c.guests
