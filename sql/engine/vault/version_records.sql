WITH source_data AS (
    {%- for source in sources %}
    SELECT
        {%- if parent_key %}
        {{ parent_expression }}{{ " AS " + parent_key if parent_expression != parent_key }},
        {%- endif %}
        topic,
        epoch,
        kafka_partition,
        kafka_offset,
        {%- for column, origin in payload_from.items() %}
        {{ origin }}{{ " AS " + column if origin != column }},
        {%- endfor %}
        load_src
    FROM batch_{{ source }}
    {%- if not loop.last %}
    UNION ALL
    {%- endif %}
    {%- endfor %}
),

unique_source_records AS (
    SELECT DISTINCT ON ({{ identity | join(", ") }})
        {%- for column in columns if column not in ("load_dt", "load_src") %}
        {{ column }},
        {%- endfor %}
        load_src
    FROM source_data
    ORDER BY {{ identity | join(", ") }}, epoch, kafka_partition, kafka_offset, topic
)
