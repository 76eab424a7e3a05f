-- By how much each counter moves: what the orders add now, less what they had added;
-- and what its row had before, NULL if there is none. An order that would add to one
-- of them twice is marked: it fails the batch.
{#- makes: deltas #}
CREATE TEMP TABLE deltas ON COMMIT DROP AS
SELECT
    {%- for key in keys %}
    moved.{{ key }},
    {%- endfor %}
    moved.order_cnt,
    moved.pieces_cnt,
    moved.amount,
    moved.doubled_order,
    was.order_cnt AS was_cnt
FROM (
    SELECT
        {{ keys | join(",\n        ") }},
        sum(order_cnt)::bigint AS order_cnt,
        sum(pieces_cnt)::bigint AS pieces_cnt,
        sum(amount) AS amount,
        min(order_id) FILTER (WHERE rows_cnt > 1) AS doubled_order
    FROM (
        SELECT
            order_id,
            {{ keys | join(",\n            ") }},
            order_cnt,
            pieces_cnt,
            amount,
            rows_cnt
        FROM old_contributions
        UNION ALL
        SELECT
            order_id,
            {{ keys | join(",\n            ") }},
            1 AS order_cnt,
            pieces_cnt,
            amount,
            rows_cnt
        FROM {{ new_contributions | indent(8) }}
    ) AS contributions
    GROUP BY {{ keys | join(", ") }}
    HAVING
        sum(order_cnt) <> 0
        OR sum(pieces_cnt) <> 0
        OR sum(amount) <> 0
        OR min(order_id) FILTER (WHERE rows_cnt > 1) IS NOT NULL
    ORDER BY {{ keys | join(", ") }}
) AS moved
LEFT JOIN LATERAL (
    SELECT m.order_cnt
    FROM {{ cdm }}.{{ mart }} AS m
    WHERE
        {%- for key in keys %}
        {{ "AND " if not loop.first }}m.{{ key }} = moved.{{ key }}
        {%- endfor %}
    OFFSET 0  -- one look-up per row, whatever the statistics say
) AS was ON TRUE
