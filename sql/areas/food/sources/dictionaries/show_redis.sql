-- Compare what was just read with what is staged.
SELECT
    j.problem,
    j.entry ->> 'update_ts_utc' AS version_dt,
    count(e.id) > 0 AS is_known
FROM judged_entries AS j
LEFT JOIN stg.dictionary_entries AS e ON j.id = e.id AND j.entry = e.entry
GROUP BY j.problem, j.entry
