-- Remove the tags that no condition gives any more.
WITH lost AS (
    UPDATE cdm.user_tags AS u
    SET until_dt = %(load_dt)s
    FROM concerned AS c
    WHERE
        u.user_id = c.user_id
        AND u.tag = c.tag
        AND u.until_dt IS NULL
        AND NOT EXISTS (
            SELECT 1
            FROM due AS d
            WHERE d.user_id = u.user_id AND d.tag = u.tag
        )
    RETURNING u.user_id
)

INSERT INTO changed_guests (user_id)
SELECT user_id
FROM lost
