-- Take a piece of the queue.
WITH taken AS (
    DELETE FROM ops.tags_waiting
    WHERE
        ctid = any(array(
            SELECT w.ctid
            FROM ops.tags_waiting AS w
            WHERE w.user_id IS NOT NULL
            LIMIT %(limit)s
        ))
    RETURNING user_id, tag
)

INSERT INTO concerned (user_id, tag)
SELECT
    user_id,
    tag
FROM taken
