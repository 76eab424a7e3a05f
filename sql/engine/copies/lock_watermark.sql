-- Take the copy for this transaction, and see which batch it took last.
SELECT w.token
FROM {{ schema }}.watermarks AS w
WHERE w.mart = %(mart)s
FOR UPDATE
