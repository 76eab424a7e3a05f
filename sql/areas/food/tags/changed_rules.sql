-- Count the conditions to add and to drop; find whether guests of earlier ones are
-- still to be enqueued.
WITH rules_now AS (
    {{ conditions | indent }}
),

applied_conditions AS (
    {{ applied_conditions | indent }}
),

added AS (
    SELECT
        kind,
        thing_id,
        tag,
        threshold,
        rule_id
    FROM rules_now
    EXCEPT
    SELECT
        kind,
        thing_id,
        tag,
        threshold,
        rule_id
    FROM applied_conditions
),

dropped AS (
    SELECT
        kind,
        thing_id,
        tag,
        threshold,
        rule_id
    FROM applied_conditions
    EXCEPT
    SELECT
        kind,
        thing_id,
        tag,
        threshold,
        rule_id
    FROM rules_now
)

SELECT
    (SELECT count(*) FROM added) AS added,
    (SELECT count(*) FROM dropped) AS dropped,
    (
        EXISTS (
            SELECT 1
            FROM ops.tag_conditions
            WHERE state <> 'applied'
        )
        OR EXISTS (
            SELECT 1
            FROM ops.tags_waiting
            WHERE user_id IS NULL
        )
    ) AS is_unfinished
