-- The keys that changes name, each once.
SELECT DISTINCT
{%- if key_types | length == 1 %} c.key[1]::{{ key_types.values() | first }} AS {{ key_types | first }}
{%- else %}
    {%- for key, type in key_types.items() %}
    c.key[{{ loop.index }}]::{{ type }} AS {{ key }}{{ "," if not loop.last }}
    {%- endfor %}
{%- endif %}
FROM ops.mart_changes AS c
WHERE
    c.mart = %(mart)s
    AND c.change_id > %(since)s
    AND c.change_id <= %(until)s
