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
