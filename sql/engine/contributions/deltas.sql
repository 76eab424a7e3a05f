-- By how much each counter moves: what the orders add now, less what they had added. An
-- order that would add to one of them twice is marked: it fails the batch.
{#- makes: deltas #}
CREATE TEMP TABLE deltas ON COMMIT DROP AS
SELECT
    {{ keys | join(",\n    ") }},
    sum(order_cnt)::bigint AS order_cnt,
    sum(pieces_cnt)::bigint AS pieces_cnt,
    sum(amount) AS amount,
    min(order_id) FILTER (WHERE rows_cnt > 1) AS doubled_order
FROM (
    SELECT
        order_id,
        {{ keys | join(",\n        ") }},
        order_cnt,
        pieces_cnt,
        amount,
        rows_cnt
    FROM old_contributions
    UNION ALL
    SELECT
        order_id,
        {{ keys | join(",\n        ") }},
        1 AS order_cnt,
        pieces_cnt,
        amount,
        rows_cnt
    FROM {{ new_contributions | indent }}
) AS contributions
GROUP BY {{ keys | join(", ") }}
HAVING
    sum(order_cnt) <> 0
    OR sum(pieces_cnt) <> 0
    OR sum(amount) <> 0
    OR min(order_id) FILTER (WHERE rows_cnt > 1) IS NOT NULL
ORDER BY {{ keys | join(", ") }}
