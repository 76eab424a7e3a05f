WITH source_data AS (
    {%- for source in sources %}
    SELECT
        {%- for column in carried + hub_keys %}
        {{ column }},
        {%- endfor %}
        load_src
    FROM batch_{{ source }}
    WHERE {% for column in hub_keys %}{{ " AND " if not loop.first }}{{ column }} IS NOT NULL{% endfor %}
    {%- if not loop.last %}
    UNION ALL
    {%- endif %}
    {%- endfor %}
),

unique_source_records AS (
    {%- if carried %}
    {#- Few of an order's pairs come twice: the one sort by key serves both ends. #}
    SELECT DISTINCT ON ({{ primary_key | join(", ") }})
        {%- for column in carried + hub_keys %}
        {{ column }},
        {%- endfor %}
        load_src
    FROM source_data
    ORDER BY {{ primary_key | join(", ") }}
    {%- else %}
    {#- Most of these pairs come again and again: sort only what is left of them. #}
    SELECT
        {%- for column in hub_keys %}
        {{ column }},
        {%- endfor %}
        min(load_src) AS load_src
    FROM source_data
    GROUP BY {{ hub_keys | join(", ") }}
    {%- endif %}
)
