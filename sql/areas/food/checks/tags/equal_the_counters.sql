-- Every guest holds the tags that follow from counters and rules, and no others.
{#- #fail #}
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
    f.what,
    f.user_id,
    f.tag
FROM found AS f
{%- if is_behind %}
WHERE
    NOT EXISTS (
        SELECT 1
        FROM ops.tags_waiting AS w
        WHERE w.user_id = f.user_id AND w.tag = f.tag
    )
{%- endif %}
ORDER BY f.user_id, f.tag, f.what
