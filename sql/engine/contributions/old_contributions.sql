-- What the orders had added, as they were counted, to be taken out.
{#- makes: old_contributions #}
CREATE TEMP TABLE old_contributions ON COMMIT DROP AS
SELECT
    order_id,
    {{ keys | join(",\n    ") }},
    (-1)::bigint AS order_cnt,
    -pieces_cnt AS pieces_cnt,
    -amount AS amount,
    rows_cnt
FROM (
    {{ old_contributions | indent }}
) AS counted
