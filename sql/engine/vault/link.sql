-- Add the pairs that {{ table }} does not have yet; leave existing ones alone.
{% include "engine/vault/link_records.sql" %}

INSERT INTO {{ dds }}.{{ table }} ({{ columns | join(", ") }})
SELECT
    {{ key_expression }} AS {{ key }},
    {%- for column in carried + hub_keys %}
    s.{{ column }},
    {%- endfor %}
    %(load_dt)s AS load_dt,
    s.load_src
{% include "engine/vault/new_rows.sql" %}
