-- By how much each counter of these guests is wrong.
{#- makes: deltas #}
CREATE TEMP TABLE deltas ON COMMIT DROP AS
SELECT
    coalesce(s.{{ keys[0] }}, m.{{ keys[0] }}) AS {{ keys[0] }},
    coalesce(s.{{ keys[1] }}, m.{{ keys[1] }}) AS {{ keys[1] }},
    coalesce(s.order_cnt, 0) - coalesce(m.order_cnt, 0) AS order_cnt,
    coalesce(s.pieces_cnt, 0) - coalesce(m.pieces_cnt, 0) AS pieces_cnt,
    coalesce(s.amount, 0) - coalesce(m.amount, 0) AS amount
FROM recounted AS s
FULL JOIN (
    SELECT
        c.{{ keys[0] }},
        c.{{ keys[1] }},
        c.order_cnt,
        c.pieces_cnt,
        c.amount
    FROM cdm.{{ mart }} AS c
    INNER JOIN touched_guests AS g ON c.{{ keys[0] }} = g.h_user_pk
) AS m ON s.{{ keys[0] }} = m.{{ keys[0] }} AND s.{{ keys[1] }} = m.{{ keys[1] }}
WHERE
    (s.order_cnt, s.pieces_cnt, s.amount)
    IS DISTINCT FROM (m.order_cnt, m.pieces_cnt, m.amount)
