-- Where a batch of the changes that follow ends; NULL if there are none.
SELECT max(c.change_id)
FROM (
    SELECT o.change_id
    FROM ops.mart_changes AS o
    WHERE o.mart = %(mart)s AND o.change_id > %(since)s
    ORDER BY o.change_id
    LIMIT %(most)s
) AS c
