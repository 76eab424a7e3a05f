-- By how much each counter moves.
CREATE TEMP TABLE deltas ON COMMIT DROP AS
SELECT
    {{ keys | join(",\n    ") }},
    sum(order_cnt)::bigint AS order_cnt,
    sum(pieces_cnt)::bigint AS pieces_cnt,
    sum(amount) AS amount
FROM contributions
GROUP BY {{ keys | join(", ") }}
HAVING sum(order_cnt) <> 0 OR sum(pieces_cnt) <> 0 OR sum(amount) <> 0
ORDER BY {{ keys | join(", ") }}
