WITH grown AS (
    SELECT
        c.key AS table_name,
        floor(
            date_part('epoch', %(now)s - b.committed_dt) / 86400
        )::integer AS days_ago,
        sum(c.value::bigint) AS row_cnt
    FROM ops.batches AS b
    CROSS JOIN jsonb_each_text(b.counts) AS c
    WHERE
        b.stage IN (
            SELECT s.stage
            FROM ops.stages AS s
            WHERE s.reads_staging OR s.upstream = '{}'
        )
        AND NOT b.is_repeat
        AND b.committed_dt >= %(week_dt)s
        AND c.key = any(%(tables)s)
    GROUP BY c.key, days_ago
),

days AS (
    SELECT DISTINCT g.days_ago
    FROM grown AS g
    WHERE g.days_ago > 0
),

usual AS (
    SELECT
        t.table_name,
        percentile_disc(0.5) WITHIN GROUP (
            ORDER BY coalesce(g.row_cnt, 0)
        ) AS row_cnt
    FROM (SELECT DISTINCT table_name FROM grown) AS t
    CROSS JOIN days AS d
    LEFT JOIN grown AS g
        ON t.table_name = g.table_name AND d.days_ago = g.days_ago
    GROUP BY t.table_name
    HAVING count(*) >= 3  -- fewer days don't show what is usual
),

compared AS (
    SELECT
        u.table_name,
        u.row_cnt AS usual_row_cnt,
        coalesce(g.row_cnt, 0) AS row_cnt
    FROM usual AS u
    LEFT JOIN grown AS g ON u.table_name = g.table_name AND g.days_ago = 0
    WHERE u.row_cnt >= 100  -- fewer rows vary by chance
)
