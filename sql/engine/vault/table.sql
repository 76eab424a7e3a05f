-- Make the table of {{ table }} as its definition says.
CREATE TABLE IF NOT EXISTS {{ dds }}.{{ table }} (
    {%- for column, type in typed_columns.items() %}
    {{ column }} {{ type }}{{ " NOT NULL" if column not in nullable }},
    {%- endfor %}
    PRIMARY KEY ({{ primary_key | join(", ") }})
)
