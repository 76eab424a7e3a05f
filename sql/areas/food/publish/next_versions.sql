-- Take one version for each changed guest; no other session takes any until the commit.
UPDATE ops.tag_versions
SET
    last_version = (
        -- Microseconds since 1970, not 1: a warehouse that was made anew, or put back
        -- from a backup, must not give versions that the app has seen already.
        greatest(last_version, (extract(EPOCH FROM %(load_dt)s) * 1000000)::bigint)
        + c.guests
    )
FROM (
    SELECT count(DISTINCT user_id) AS guests
    FROM changed_guests
) AS c
WHERE c.guests > 0
RETURNING last_version, c.guests
