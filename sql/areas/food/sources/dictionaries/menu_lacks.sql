-- Schedule the next request for menus just read that still lack a dish.
UPDATE ops.menu_lookups AS l
SET
    tried_cnt = l.tried_cnt + 1,
    tried_dt = %(load_dt)s,
    next_try_dt = ops.next_try(l.first_staged_dt, l.tried_cnt, %(load_dt)s)
FROM found_entries AS f
WHERE l.restaurant_id = f.id
