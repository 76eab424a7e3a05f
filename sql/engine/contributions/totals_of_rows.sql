SELECT
    {{ thing_keys | join(",\n    ") }},
    count(*)::bigint AS guest_cnt,
    sum(order_cnt)::bigint AS order_cnt,
    sum(pieces_cnt)::bigint AS pieces_cnt,
    sum(amount) AS amount
FROM {{ cdm }}.{{ mart }}
GROUP BY {{ thing_keys | join(", ") }}
