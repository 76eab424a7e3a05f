-- What each order adds to each key, and from how many rows: it must be one.
SELECT
    order_id,
    {{ keys | join(",\n    ") }},
    sum(pieces_cnt) AS pieces_cnt,
    sum(amount) AS amount,
    count(*) AS rows_cnt
FROM (
    {{ contributions | indent }}
) AS added
GROUP BY order_id, {{ keys | join(", ") }}
