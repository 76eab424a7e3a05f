-- What the orders add now.
INSERT INTO contributions ({{ keys | join(", ") }}, order_cnt, pieces_cnt, amount)
SELECT
    {{ keys | join(", ") }},
    1 AS order_cnt,
    pieces_cnt,
    amount
FROM ({{ new_contributions }}) AS counted
