{%- if is_whole -%}
-- Compute all rows of the mart from the vault.
{%- else -%}
-- Compute the rows of these keys from the vault.
{%- endif %}
INSERT INTO computed ({{ columns | join(", ") }})
SELECT
    r.{{ columns | join(",\n    r.") }}
FROM (
    {{ rows | indent }}
) AS r
{%- if not is_whole %}
WHERE EXISTS (
    SELECT 1
    FROM touched_keys AS t
    WHERE
        {%- for key in keys %}
        {{ "AND " if not loop.first }}t.{{ key }} = r.{{ key }}
        {%- endfor %}
)
{%- endif %}
