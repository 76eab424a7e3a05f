-- Compare the tags held with those that follow from the counters and the rules.
WITH should AS MATERIALIZED (
    {{ due | indent }}
),

held AS (
    SELECT
        user_id,
        tag
    FROM cdm.user_tags
    WHERE until_dt IS NULL
),

found AS (
    SELECT
        'should be' AS what,
        missing.user_id,
        missing.tag
    FROM (
        SELECT
            user_id,
            tag
        FROM should
        EXCEPT
        SELECT
            user_id,
            tag
        FROM held
    ) AS missing
    UNION ALL
    SELECT
        'is' AS what,
        wrong.user_id,
        wrong.tag
    FROM (
        SELECT
            user_id,
            tag
        FROM held
        EXCEPT
        SELECT
            user_id,
            tag
        FROM should
    ) AS wrong
)

SELECT
    count(*) OVER () AS number,
    f.what,
    f.user_id,
    f.tag
FROM found AS f
ORDER BY f.user_id, f.tag, f.what
LIMIT %(examples)s
