-- Enter the whole state of each changed guest, in place of an older one that waits.
INSERT INTO ops.tag_outbox AS o (version, user_id, guest_id, tags, entered_dt)
SELECT
    %(last_version)s - %(guests)s + row_number() OVER (ORDER BY c.user_id) AS version,
    c.user_id,
    u.user_id AS guest_id,
    coalesce(held.tags, '[]'::jsonb) AS tags,
    %(load_dt)s AS entered_dt
FROM (
    SELECT DISTINCT user_id
    FROM changed_guests
) AS c
INNER JOIN dds.h_user AS u ON c.user_id = u.h_user_pk
CROSS JOIN LATERAL (
    SELECT
        jsonb_agg(
            jsonb_build_object(
                'tag', t.tag, 'since', to_char(t.since_dt, 'YYYY-MM-DD HH24:MI:SS')
            )
            ORDER BY t.tag
        ) AS tags
    FROM cdm.user_tags AS t
    WHERE t.user_id = c.user_id AND t.until_dt IS NULL
) AS held
ORDER BY c.user_id
ON CONFLICT (user_id) DO UPDATE
    SET
        version = excluded.version,
        tags = excluded.tags,
        entered_dt = excluded.entered_dt
