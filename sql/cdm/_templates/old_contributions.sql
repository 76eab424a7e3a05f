-- What the orders had added, as they were counted, to be taken out.
{#- makes: old_contributions #}
CREATE TEMP TABLE old_contributions ON COMMIT DROP AS
SELECT
    {{ keys | join(",\n    ") }},
    (-1)::bigint AS order_cnt,
    -pieces_cnt AS pieces_cnt,
    -amount AS amount
FROM (
    {{ old_contributions | indent }}
) AS counted
