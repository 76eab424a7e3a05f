-- Add the due tags that are not held yet.
WITH gained AS (
    INSERT INTO cdm.user_tags (user_id, tag, since_dt)
    SELECT
        d.user_id,
        d.tag,
        %(load_dt)s AS since_dt
    FROM due AS d
    WHERE
        NOT EXISTS (
            SELECT 1
            FROM cdm.user_tags AS u
            WHERE
                u.user_id = d.user_id
                AND u.tag = d.tag
                AND u.until_dt IS NULL
        )
    ORDER BY d.user_id, d.tag
    RETURNING user_id
)

INSERT INTO changed_guests (user_id)
SELECT user_id
FROM gained
