-- Copy the rows of {{ table.name }} out of the source.
COPY (
    SELECT
    {%- for one in columns %}
        {%- set value = one.in_source if one.name in there else "NULL" %}
        {{ value }}{{ " AS " + one.name if value != "t." + one.name }}{{ "," if not loop.last }}
    {%- endfor %}
    FROM {{ table.schema }}.{{ table.name }} AS t
) TO STDOUT
