-- Create the table of {{ table }} from its definition.
CREATE TABLE IF NOT EXISTS {{ dds }}.{{ table }} (
    {%- for column, type in typed_columns.items() %}
    {{ column }} {{ type }}{{ " NOT NULL" if column not in nullable }},
    {%- endfor %}
    PRIMARY KEY ({{ primary_key | join(", ") }})
)
