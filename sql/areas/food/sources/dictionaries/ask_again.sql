-- Schedule the next request for missing entries: soon while new, later hourly.
UPDATE ops.dictionary_lookups AS l
SET
    tried_cnt = l.tried_cnt + 1,
    tried_dt = %(load_dt)s,
    problem = f.problem,
    next_try_dt = ops.next_try(l.first_staged_dt, l.tried_cnt, %(load_dt)s)
FROM unnest(%(ids)s::text[], %(problems)s::text[]) AS f (id, problem)
WHERE l.id = f.id
