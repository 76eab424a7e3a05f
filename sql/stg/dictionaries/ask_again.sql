-- Set when to ask again for what was not found: soon while it is new, later hourly.
UPDATE ops.dictionary_lookups AS l
SET
    tried_cnt = l.tried_cnt + 1,
    tried_dt = %(load_dt)s,
    problem = f.problem,
    next_try_dt = %(load_dt)s + CASE
        WHEN %(load_dt)s < l.first_staged_dt + interval '1 hour'
            THEN least(
                interval '40 seconds', interval '5 seconds' * 2 ^ least(l.tried_cnt, 6)
            )
        ELSE least(interval '55 minutes', (%(load_dt)s - l.first_staged_dt) / 6)
    END
FROM unnest(%(ids)s::text[], %(problems)s::text[]) AS f (id, problem)
WHERE l.id = f.id
