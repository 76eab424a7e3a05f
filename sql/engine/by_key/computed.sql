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
WHERE
    -- A hashed look-up, however few rows the planner expects: a join with too low a
    -- guess compares each row with all keys.
    ((r.{{ keys | join(", r.") }}) IN (
{%- if keys | length == 1 %}
        SELECT t.{{ keys[0] }}
{%- else %}
        SELECT
            t.{{ keys | join(",\n            t.") }}
{%- endif %}
        FROM touched_keys AS t
    )) IS TRUE
{%- endif %}
