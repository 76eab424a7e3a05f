-- Add the keys that {{ table }} has not seen yet; a key already there is left alone.
{%- if least %}
{#- The one exception to insert-only: the contract's smallest date. #}
{%- endif %}
WITH source_data AS (
    {%- for source in sources %}
    SELECT
        {{ key }},
        {%- for column in business_keys %}
        {{ column }},
        {%- endfor %}
        {%- for column in least %}
        {{ column }},
        {%- endfor %}
        load_src
    FROM batch_{{ source }}
    WHERE {{ key }} IS NOT NULL
    {%- if not loop.last %}
    UNION ALL
    {%- endif %}
    {%- endfor %}
),

unique_source_records AS (
    SELECT
        {{ key }},
        {%- for column in business_keys + least %}
        min({{ column }}) AS {{ column }},
        {%- endfor %}
        min(load_src) AS load_src
    FROM source_data
    GROUP BY {{ key }}
)

INSERT INTO {{ schema }}.{{ table }} AS t ({{ columns | join(", ") }})
SELECT
    {%- for column in columns if column not in ("load_dt", "load_src") %}
    {{ column }},
    {%- endfor %}
    %(load_dt)s AS load_dt,
    load_src
FROM unique_source_records
ORDER BY {{ primary_key | join(", ") }}  -- one key order everywhere: no deadlocks
{%- if least %}
ON CONFLICT ({{ primary_key | join(", ") }}) DO UPDATE
    SET
        {%- for column in least %}
        {{ column }} = least(t.{{ column }}, excluded.{{ column }}){{ "," if not loop.last }}
        {%- endfor %}
    WHERE {% for column in least -%}
        {{ " OR " if not loop.first }}excluded.{{ column }} < t.{{ column }}
    {%- endfor %}
{%- else %}
ON CONFLICT ({{ primary_key | join(", ") }}) DO NOTHING
{%- endif %}
