-- Enter the state of each changed guest, in place of an older one that waits.
INSERT INTO ops.tag_outbox AS o (version, user_id, guest_id, tags, entered_dt)
SELECT
    %(last_version)s - %(guests)s + row_number() OVER (ORDER BY s.user_id) AS version,
    s.user_id,
    u.user_id AS guest_id,
    s.tags,
    %(load_dt)s AS entered_dt
FROM changed_states AS s
INNER JOIN dds.h_user AS u ON s.user_id = u.h_user_pk
ORDER BY s.user_id
ON CONFLICT (user_id) DO UPDATE
    SET
        version = excluded.version,
        tags = excluded.tags,
        entered_dt = excluded.entered_dt
