-- What each order adds to each key, and from how many rows: more than one fail the
-- batch. So the least of them is all of it, and cheaper than their sum.
SELECT
    order_id,
    {{ keys | join(",\n    ") }},
    min(pieces_cnt) AS pieces_cnt,
    min(amount) AS amount,
    count(*) AS rows_cnt
FROM (
    {{ contributions | indent }}
) AS added
GROUP BY order_id, {{ keys | join(", ") }}
