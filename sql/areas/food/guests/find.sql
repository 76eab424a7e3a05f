-- Find guests by their own id, or by how a name of theirs begins.
WITH found AS (
    SELECT u.h_user_pk
    FROM dds.h_user AS u
    WHERE u.user_id = %(asked)s
    UNION
    SELECT n.h_user_pk
    FROM dds.s_user_names AS n
    -- The index has no more than this of a name.
    WHERE starts_with(left(n.username, 64), left(%(asked)s, 64))
)

SELECT
    v.user_id,
    v.username,
    v.userlogin
FROM found AS f
INNER JOIN dds.v_user_name AS v ON f.h_user_pk = v.h_user_pk
WHERE %(after)s::text IS NULL OR v.user_id > %(after)s::text
ORDER BY v.user_id
LIMIT %(limit)s
