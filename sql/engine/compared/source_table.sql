-- Create the table for the rows of {{ table.name }} as the source has them.
CREATE TEMP TABLE source_{{ table.name }} (
    {%- for one in columns %}
    {{ one.name }} {{ one.type.base.in_warehouse }}{{ "," if not loop.last }}
    {%- endfor %}
)
