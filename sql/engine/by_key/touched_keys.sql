-- Find the keys that this batch touches, each once.
INSERT INTO touched_keys ({{ keys | join(", ") }})
SELECT DISTINCT
{%- if keys | length == 1 %} t.{{ keys[0] }}
{%- else %}
    t.{{ keys | join(",\n    t.") }}
{%- endif %}
FROM (
    {{ touched | indent }}
) AS t
WHERE
    {%- for key in keys %}
    {{ "AND " if not loop.first }}t.{{ key }} IS NOT NULL
    {%- endfor %}
