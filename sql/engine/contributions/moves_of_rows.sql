SELECT
    {{ thing_keys | join(",\n    ") }},
    -- Rows that come, less those that go.
    count(*) FILTER (WHERE was_cnt IS NULL)
    - count(*) FILTER (WHERE was_cnt + order_cnt = 0) AS guest_cnt,
    sum(order_cnt)::bigint AS order_cnt,
    sum(pieces_cnt)::bigint AS pieces_cnt,
    sum(amount) AS amount
FROM deltas
GROUP BY {{ thing_keys | join(", ") }}
