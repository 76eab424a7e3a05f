-- The whole state of each changed guest.
CREATE TEMP TABLE changed_states ON COMMIT DROP AS
SELECT
    c.user_id,
    coalesce(
        jsonb_agg(
            jsonb_build_object(
                'tag', t.tag, 'since', to_char(t.since_dt, 'YYYY-MM-DD HH24:MI:SS')
            )
        ) FILTER (WHERE t.tag IS NOT NULL),
        '[]'::jsonb
    ) AS tags
FROM (
    SELECT DISTINCT user_id
    FROM changed_guests
) AS c
LEFT JOIN cdm.user_tags AS t ON c.user_id = t.user_id AND t.until_dt IS NULL
GROUP BY c.user_id
