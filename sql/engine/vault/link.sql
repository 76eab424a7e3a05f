-- Add the pairs that {{ table }} has not seen yet; a pair already there is left alone.
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
