-- Add the versions that {{ table }} does not have yet. Of one that came more than once
-- the first position counts: another one takes its place only if it is lower.
{% include "engine/vault/version_records.sql" %}

INSERT INTO {{ dds }}.{{ table }} AS t ({{ columns | join(", ") }})
SELECT
    {%- for column in columns if column not in ("load_dt", "load_src") %}
    {{ column }},
    {%- endfor %}
    %(load_dt)s AS load_dt,
    load_src
FROM unique_source_records
ORDER BY {{ identity | join(", ") }}  -- one key order everywhere: no deadlocks
ON CONFLICT ({{ identity | join(", ") }}) DO UPDATE
    SET
        {%- for column in columns if column not in identity %}
        {{ column }} = excluded.{{ column }}{{ "," if not loop.last }}
        {%- endfor %}
    {%- set place = ["epoch", "kafka_partition", "kafka_offset", "topic"] %}
    WHERE (excluded.{{ place | join(", excluded.") }}) < (t.{{ place | join(", t.") }})
