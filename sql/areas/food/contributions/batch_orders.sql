-- The orders of this range's messages.
{#- makes: batch_orders #}
CREATE TEMP TABLE batch_orders ON COMMIT DROP AS
SELECT DISTINCT v.order_id
FROM batch_ranges AS r
CROSS JOIN LATERAL (
    SELECT s.order_id
    FROM {{ dds }}.s_order_version AS s
    WHERE
        {{ in_range("s") | indent(8) }}
    OFFSET 0  -- one index scan per range, whatever the statistics say
) AS v
WHERE r.topic <> '{{ dictionary_feed }}'
