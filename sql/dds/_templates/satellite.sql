-- Add the versions that {{ table }} has not seen yet, late ones too; change none.
WITH source_data AS (
    {%- for source in sources %}
    SELECT
        {{ parent_expression }}{{ " AS " + parent_key if parent_expression != parent_key }},
        {%- for column in carried + ["version_dt"] + extra_keys %}
        {{ column }},
        {%- endfor %}
        {%- for column, origin in payload_from.items() %}
        {{ origin }}{{ " AS " + column if origin != column }},
        {%- endfor %}
        {%- if hashdiff_in_source %}
        {{ hashdiff }},
        {%- endif %}
        load_src
    FROM batch_{{ source }}
    {%- if required %}
    WHERE {% for column in required %}{{ " AND " if not loop.first }}{{ column }} IS NOT NULL{% endfor %}
    {%- endif %}
    {%- if not loop.last %}
    UNION ALL
    {%- endif %}
    {%- endfor %}
),

hashed_records AS (
    SELECT
        {{ parent_key }},
        {%- for column in carried + ["version_dt"] + extra_keys + payload %}
        {{ column }},
        {%- endfor %}
        {%- if hashdiff_in_source %}
        {{ hashdiff }},
        {%- elif hashdiff in columns %}
        {#- A row's text quotes its fields: no two payloads give one text. #}
        md5(row({{ payload | join(", ") }})::text)::uuid AS {{ hashdiff }},
        {%- endif %}
        load_src
    FROM source_data
),

unique_source_records AS (
    SELECT DISTINCT ON ({{ primary_key | join(", ") }})
        {%- for column in columns if column not in ("load_dt", "load_src") %}
        {{ column }},
        {%- endfor %}
        load_src
    FROM hashed_records
    ORDER BY {{ primary_key | join(", ") }}
)

INSERT INTO {{ schema }}.{{ table }} ({{ columns | join(", ") }})
SELECT
    {%- for column in columns if column not in ("load_dt", "load_src") %}
    s.{{ column }},
    {%- endfor %}
    %(load_dt)s AS load_dt,
    s.load_src
FROM unique_source_records AS s
{%- if carried %}
{#- Half the cost of ON CONFLICT. A key that another session adds meanwhile fails the
batch, which is then loaded again (vault.py). #}
WHERE
    s.{{ carried[0] }} NOT IN (
        SELECT k.{{ carried[0] }}
        FROM known_{{ clustered_by }} AS k
    )
    OR NOT EXISTS (
        SELECT 1
        FROM {{ schema }}.{{ table }} AS t
        WHERE
            {%- for column in primary_key %}
            {{ "AND " if not loop.first }}t.{{ column }} = s.{{ column }}
            {%- endfor %}
        OFFSET 0
    )
{%- endif %}
ORDER BY s.{{ primary_key | join(", s.") }}  -- one key order everywhere: no deadlocks
{%- if not carried %}
ON CONFLICT ({{ primary_key | join(", ") }}) DO NOTHING
{%- endif %}
