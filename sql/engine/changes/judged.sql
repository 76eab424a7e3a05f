-- Accept or refuse each change of the batch; a message that only ends a key says
-- nothing, and is left out. What outranks all before has the greater generation.
{%- from "engine/changes/messages.sql" import parsed %}
{#- makes: {lead} #}
CREATE TEMP TABLE batch_{{ lead }} ON COMMIT DROP AS
{%- for table in changed %}
SELECT
    c.topic,
    c.epoch,
    c.kafka_partition,
    c.kafka_offset,
    c.broker_dt,
    c.form,
    c.topic AS load_src,
    c.headers,
    c.op,
    c.is_gone,
    c.stands_at,
    c.row_after,
    c.row_key,
    j.reason,
    {#- One look-up per message in a table that is nearly always empty. #}
    coalesce(
        (
            SELECT max(g.generation)
            FROM ops.generations AS g
            WHERE
                g.topic = c.topic
                AND (
                    g.epoch < c.epoch
                    OR (
                        g.epoch = c.epoch
                        AND g.kafka_partition = c.kafka_partition
                        AND g.from_offset <= c.kafka_offset
                    )
                )
        ),
        0
    ) AS generation,
    {#- The sentence about a refusal is in its reason. #}
    NULL::jsonb AS doc,
    {#- CASE keeps the order: a value is read only where it was accepted. #}
    CASE
        WHEN j.reason IS NULL THEN (c.doc #>> '{source,lsn}')::numeric::bigint
    END AS lsn,
    CASE
        WHEN j.reason IS NULL
            THEN
                timestamptz 'epoch' + interval '1 microsecond'
                * (c.doc #>> '{source,ts_us}')::numeric::bigint
    END AS commit_dt,
    CASE
        WHEN
            j.reason IS NULL AND jsonb_typeof(c.doc #> '{source,txId}') = 'number'
            AND (c.doc #>> '{source,txId}')::numeric BETWEEN 0 AND 9223372036854775807
            THEN (c.doc #>> '{source,txId}')::numeric::bigint
    END AS tx_id
FROM (
    SELECT
        d.*,
        d.doc ->> 'op' AS op,
        d.doc ->> 'op' = 'd'
        OR (
            d.doc ->> 'op' = 'x'
            AND coalesce(jsonb_typeof(d.doc -> 'after'), 'null') = 'null'
        ) AS is_gone,
        {#- Behind the last message that was loaded when the row was read. #}
        CASE
            WHEN d.is_own
                THEN ARRAY[
                    (d.doc #>> '{until,epoch}')::bigint,
                    (d.doc #>> '{until,partition}')::bigint,
                    (d.doc #>> '{until,offset}')::bigint - 1
                ]
        END AS stands_at,
        d.doc -> 'after' AS row_after,
        d.doc -> 'before' AS row_before,
        CASE
            WHEN NOT d.has_no_key
                THEN d.key_doc
            WHEN jsonb_typeof(d.doc -> 'after') = 'object'
                THEN d.doc -> 'after'
            ELSE d.doc -> 'before'
        END AS row_key
    FROM (
        SELECT
            p.topic,
            p.epoch,
            p.kafka_partition,
            p.kafka_offset,
            p.broker_dt,
            p.headers,
            p.has_no_key,
            p.is_own,
            '{{ table.name }}' AS form,
            {#- With schemas, the payload is what counts. #}
            CASE
                WHEN p.doc ?& '{schema,payload}' AND jsonb_typeof(p.doc) = 'object'
                    THEN p.doc -> 'payload'
                ELSE p.doc
            END AS doc,
            CASE
                WHEN
                    p.key_doc ?& '{schema,payload}'
                    AND jsonb_typeof(p.key_doc) = 'object'
                    THEN p.key_doc -> 'payload'
                ELSE p.key_doc
            END AS key_doc
        FROM (
            SELECT
                m.topic,
                m.epoch,
                m.kafka_partition,
                m.kafka_offset,
                m.broker_dt,
                m.headers,
                m.has_no_key,
                m.doc,
                m.key_doc,
                FALSE AS is_own
            FROM (
                {{ parsed(
                    table.name, "(s.message IS NOT NULL OR s.kafka_key IS NULL)"
                ) | indent(16) }}
            ) AS m
            UNION ALL
            SELECT
                o.topic,
                o.epoch,
                o.kafka_partition,
                o.kafka_offset,
                o.broker_dt,
                o.headers,
                o.has_no_key,
                o.doc,
                o.key_doc,
                TRUE AS is_own
            FROM batch_{{ lead }}_own AS o
            WHERE o.table_name = '{{ table.name }}'
        ) AS p
        OFFSET 0
    ) AS d
    OFFSET 0  -- each part is looked up once
) AS c
CROSS JOIN LATERAL (
    SELECT
        CASE
            {%- for rule in table.rules %}
            WHEN ({{ rule.condition }}) IS NOT TRUE
                THEN '{{ rule.problem }}'
            {%- endfor %}
            WHEN
                -- The time of a record without one, which is -1 in Kafka.
                c.broker_dt <> '1969-12-31 23:59:59.999+00'
                AND timestamptz 'epoch' + interval '1 microsecond'
                * (c.doc #>> '{source,ts_us}')::numeric::bigint
                > c.broker_dt + interval '1 day'
                THEN
                    'version_in_future: the commit is more than one day after the '
                    || 'broker time '
                    || to_char(c.broker_dt AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
        END AS reason
    FROM (
        SELECT
            c.topic,
            c.doc,
            c.has_no_key,
            c.key_doc,
            c.is_own,
            {#- What was read in a comparison is like a snapshot's row, or a delete. #}
            CASE
                WHEN NOT c.is_own THEN c.op
                WHEN c.is_gone THEN 'd'
                ELSE 'r'
            END AS op,
            c.row_after,
            c.row_before,
            c.row_key
    ) AS one
    OFFSET 0  -- each message is judged once
) AS j
{%- if not loop.last %}
UNION ALL
{%- endif %}
{%- endfor %}
