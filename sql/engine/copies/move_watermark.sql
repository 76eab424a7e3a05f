-- Note which batch the copy has taken.
UPDATE {{ schema }}.watermarks
SET
    token = %(token)s,
    change_id = %(until)s,
    copied_dt = %(load_dt)s
WHERE mart = %(mart)s
