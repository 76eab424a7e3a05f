-- What the orders add now.
INSERT INTO contributions ({{ keys | join(", ") }}, order_cnt, pieces_cnt, amount)
SELECT
    {{ keys | join(",\n    ") }},
    1 AS order_cnt,
    pieces_cnt,
    amount
FROM (
    {{ new_contributions | indent }}
) AS counted
