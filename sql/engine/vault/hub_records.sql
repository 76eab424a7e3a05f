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
