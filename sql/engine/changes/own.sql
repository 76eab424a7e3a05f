-- The messages of the source's own feed, each parsed once: rows as a comparison with
-- the source has read them.
{%- from "engine/changes/messages.sql" import parsed %}
{#- makes: {lead}_own #}
CREATE TEMP TABLE batch_{{ lead }}_own ON COMMIT DROP AS
SELECT
    p.topic,
    p.epoch,
    p.kafka_partition,
    p.kafka_offset,
    p.broker_dt,
    p.headers,
    p.has_no_key,
    p.doc,
    p.key_doc,
    p.doc #>> '{source,table}' AS table_name
FROM (
    {{ parsed(own) | indent }}
) AS p
