{#- A number of plain JSON, or of MongoDB's extended JSON such as {"$numberInt": "5"}. -#}
{%- macro number(value) -%}
CASE jsonb_typeof({{ value }})
    WHEN 'number' THEN {{ value }} #>> '{}'
    WHEN 'object' THEN coalesce(
        {{ value }} ->> '$numberInt',
        {{ value }} ->> '$numberLong',
        {{ value }} ->> '$numberDouble'
    )
END::numeric
{%- endmacro -%}
