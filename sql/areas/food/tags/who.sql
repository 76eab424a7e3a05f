-- Show who holds a tag, by the guests' own ids. How many they are is counted apart: so
-- the first of very many are found in the order of the ids, without a look at the rest.
SELECT
    h.user_id,
    u.since_dt
FROM cdm.user_tags AS u
INNER JOIN dds.h_user AS h ON u.user_id = h.h_user_pk
WHERE u.tag = %(tag)s AND u.until_dt IS NULL
ORDER BY h.user_id
LIMIT %(limit)s
