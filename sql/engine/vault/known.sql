-- The keys of {{ table }} that may have rows: only those need a look-up.
CREATE TEMP TABLE known_{{ table }} ON COMMIT DROP AS
{%- for source in sources %}
SELECT s.{{ business_keys[0] }}
FROM batch_{{ source }} AS s
WHERE
    %(is_careful)s
    OR EXISTS (
        SELECT 1
        FROM {{ dds }}.{{ table }} AS t
        WHERE t.{{ business_keys[0] }} = s.{{ business_keys[0] }}
        OFFSET 0  -- one look-up per row, whatever the statistics say
    )
{%- if not loop.last %}
UNION ALL
{%- endif %}
{%- endfor %}
