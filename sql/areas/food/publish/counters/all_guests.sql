-- Enqueue every guest who has counters in this mart.
INSERT INTO ops.counters_waiting (user_id)
SELECT DISTINCT user_id
FROM cdm.{{ mart }}
