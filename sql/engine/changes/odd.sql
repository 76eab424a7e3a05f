-- The columns that rows of the batch have beyond their definition, and those that they
-- lack.
{#- makes: {lead}_odd #}
CREATE TEMP TABLE batch_{{ lead }}_odd ON COMMIT DROP AS
SELECT
    b.topic,
    b.epoch,
    b.kafka_partition,
    b.kafka_offset,
    b.load_src,
    b.form AS table_name,
    odd.column_name,
    odd.what
FROM batch_{{ lead }} AS b
INNER JOIN (
    VALUES
    {%- for table in changed if table.hub_keys %}
    (
        '{{ table.name }}',
        ARRAY['{{ table.names | join("', '") }}'],
        ARRAY[{% for name in table.nullable %}'{{ name }}'{{ ", " if not loop.last }}{% endfor %}]::text[]
    ){{ "," if not loop.last }}
    {%- endfor %}
) AS known (table_name, names, nullable)
    ON b.form = known.table_name
CROSS JOIN LATERAL (
    SELECT
        k.name AS column_name,
        'unknown' AS what
    FROM jsonb_object_keys(b.row_after - known.names) AS k (name)
    UNION ALL
    SELECT
        n.name AS column_name,
        'missing' AS what
    FROM unnest(known.nullable) AS n (name)
    WHERE NOT b.row_after ? n.name
) AS odd
WHERE b.op IN ('r', 'c', 'u')
