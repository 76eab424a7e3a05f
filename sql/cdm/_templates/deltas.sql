-- By how much each counter moves: what the orders add now, less what they had added.
{#- makes: deltas #}
CREATE TEMP TABLE deltas ON COMMIT DROP AS
SELECT
    {{ keys | join(",\n    ") }},
    sum(order_cnt)::bigint AS order_cnt,
    sum(pieces_cnt)::bigint AS pieces_cnt,
    sum(amount) AS amount
FROM (
    SELECT
        {{ keys | join(",\n        ") }},
        order_cnt,
        pieces_cnt,
        amount
    FROM old_contributions
    UNION ALL
    SELECT
        {{ keys | join(",\n        ") }},
        1 AS order_cnt,
        pieces_cnt,
        amount
    FROM (
        {{ new_contributions | indent(8) }}
    ) AS counted
) AS contributions
GROUP BY {{ keys | join(", ") }}
HAVING sum(order_cnt) <> 0 OR sum(pieces_cnt) <> 0 OR sum(amount) <> 0
ORDER BY {{ keys | join(", ") }}
