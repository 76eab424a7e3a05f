-- Delete the rows that the mart no longer has.
DELETE FROM {{ table }} AS c
{%- if not is_whole %}
USING incoming_keys AS k
{%- endif %}
WHERE
    {%- if not is_whole %}
    {%- for key in key_types %}
    {{ "AND " if not loop.first }}c.{{ key }} = k.{{ key }}
    {%- endfor %}
    AND NOT EXISTS (
    {%- else %}
    NOT EXISTS (
    {%- endif %}
        SELECT 1
        FROM incoming AS i
        WHERE
            {%- for key in key_types %}
            {{ "AND " if not loop.first }}i.{{ key }} = c.{{ key }}
            {%- endfor %}
    )
