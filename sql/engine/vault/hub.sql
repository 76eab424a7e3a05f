-- Add the keys that {{ table }} does not have yet; leave existing ones alone.
{%- if least %}
{#- The one exception to insert-only: the contract's smallest date. #}
{%- endif %}
{% include "engine/vault/hub_records.sql" %}

INSERT INTO {{ dds }}.{{ table }} AS t ({{ columns | join(", ") }})
SELECT
    {%- for column in columns if column not in ("load_dt", "load_src") %}
    {{ column }},
    {%- endfor %}
    %(load_dt)s AS load_dt,
    load_src
FROM unique_source_records
ORDER BY {{ primary_key | join(", ") }}  -- one key order everywhere: no deadlocks
{%- if least %}
ON CONFLICT ({{ primary_key | join(", ") }}) DO UPDATE
    SET
        {%- for column in least %}
        {{ column }} = least(t.{{ column }}, excluded.{{ column }}){{ "," if not loop.last }}
        {%- endfor %}
    WHERE {% for column in least -%}
        {{ " OR " if not loop.first }}excluded.{{ column }} < t.{{ column }}
    {%- endfor %}
{%- else %}
ON CONFLICT ({{ primary_key | join(", ") }}) DO NOTHING
{%- endif %}
