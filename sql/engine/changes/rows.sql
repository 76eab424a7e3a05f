{%- macro renamed(header) -%}
CASE
    WHEN position('{{ header }}'::bytea IN b.headers) > 0
        THEN (
            SELECT
                {#- The columns of the key alone, as the key has them. #}
                jsonb_build_object(
                    {%- for one in table.key %}
                    '{{ one.name }}',
                    {{ one.value("k.key") if one.type.base.is_text else one.json("k.key") }}{{ "," if not loop.last }}
                    {%- endfor %}
                )
            FROM (
                SELECT
                    CASE
                        WHEN h.doc ?& '{schema,payload}'
                            THEN h.doc -> 'payload'
                        ELSE h.doc
                    END AS key
                FROM (
                    SELECT stg.jsonb_or_null(decode(e.header ->> 1, 'base64')) AS doc
                    FROM
                        jsonb_array_elements(stg.jsonb_or_null(b.headers)) AS e (header)
                    WHERE e.header ->> 0 = '{{ header }}'
                    LIMIT 1
                ) AS h
            ) AS k
            WHERE jsonb_typeof(k.key) = 'object'
        )
END
{%- endmacro -%}
-- The accepted changes of one table, a row each, with their values in its types.
{#- makes: {relation} #}
CREATE TEMP TABLE batch_{{ relation }} ON COMMIT DROP AS
SELECT
    t.topic,
    t.epoch,
    t.kafka_partition,
    t.kafka_offset,
    t.load_src,
    t.op,
    t.is_gone,
    t.generation,
    t.lsn,
    t.commit_dt,
    t.tx_id,
    t.read_at,
    t.stands_at,
    t.unavailable,
    t.renamed_to,
    t.renamed_from,
    {%- for key, names in table.hub_keys %}
    {{ table.hub_key(names) }} AS {{ key }},
    {%- endfor %}
    {%- for column in table.names %}
    t.{{ column }}{{ "," if not loop.last }}
    {%- endfor %}
FROM (
    SELECT
        b.topic,
        b.epoch,
        b.kafka_partition,
        b.kafka_offset,
        b.load_src,
        b.op,
        b.is_gone,
        b.stands_at,
        b.generation,
        b.lsn,
        b.commit_dt,
        b.tx_id,
        {#- Each read is a version of its own; the same change again is the same. #}
        CASE
            WHEN b.op IN ('r', 'x')
                THEN format(
                    '%%s/%%s/%%s/%%s',
                    b.topic,
                    b.epoch,
                    b.kafka_partition,
                    b.kafka_offset
                )
        END AS read_at,
        array_remove(
            ARRAY[
                {%- for one in table.unavailable %}
                CASE WHEN {{ one.text("b.row_after") }} = '{{ unavailable }}' THEN '{{ one.name }}' END{{ "," if not loop.last }}
                {%- endfor %}
            ]::text[],
            NULL
        ) AS unavailable,
        {{ renamed("__debezium.newkey") | indent(8) }} AS renamed_to,
        {{ renamed("__debezium.oldkey") | indent(8) }} AS renamed_from,
        {%- for one in table.key %}
        {{ one.value("b.row_key") }} AS {{ one.name }}{{ "," if table.columns or not loop.last }}
        {%- endfor %}
        {%- for one in table.columns %}
        CASE WHEN b.op <> 'd' AND {{ one.text("b.row_after") }} IS NOT NULL THEN {{ one.value("b.row_after") }} END AS {{ one.name }}{{ "," if not loop.last }}
        {%- endfor %}
    FROM batch_{{ lead }} AS b
    WHERE b.form = '{{ table.name }}' AND b.op <> 't'
    OFFSET 0  -- each value is read once
) AS t
