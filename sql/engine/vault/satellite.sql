-- Add the versions that {{ table }} does not have yet, late ones too; change none.
{% include "engine/vault/satellite_records.sql" %}

INSERT INTO {{ dds }}.{{ table }} ({{ columns | join(", ") }})
SELECT
    {%- for column in columns if column not in ("load_dt", "load_src") %}
    s.{{ column }},
    {%- endfor %}
    %(load_dt)s AS load_dt,
    s.load_src
{% include "engine/vault/new_rows.sql" %}
