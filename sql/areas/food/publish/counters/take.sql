-- Take some of the waiting guests.
WITH taken AS (
    DELETE FROM ops.counters_waiting
    WHERE
        ctid IN (
            SELECT w.ctid
            FROM ops.counters_waiting AS w
            LIMIT %(limit)s
        )
    RETURNING user_id
)

INSERT INTO due_guests (user_id)
SELECT DISTINCT user_id
FROM taken
