-- Store refused messages, with the reason; a replay may have found another one.
INSERT INTO {{ refused }} AS m (
    topic, epoch, kafka_partition, kafka_offset, reason, detail, rejected_dt
)
SELECT
    d.topic,
    d.epoch,
    d.kafka_partition,
    d.kafka_offset,
    coalesce(why.reason, d.reason) AS reason,
    coalesce(
        why.detail,
        CASE d.reason
            WHEN 'own_message'
                THEN 'the header {{ origin_header }} says that Palate published it'
            WHEN 'not_json'
                THEN
                    'the value is not JSON as jsonb takes it: empty, not UTF-8, '
                    'or malformed'
            WHEN '{{ shapes[0].kind.reason }}'
                THEN '{{ shapes[0].kind.sentence }}'
            WHEN 'version_in_future'
                THEN
                    'the version time ' || CASE d.form
                        {%- for shape in shapes %}
                        WHEN '{{ shape.form }}'
                            THEN {{ shape.texts[shape.version_time]
                                | replace("doc #", "d.doc #") }}
                        {%- endfor %}
                    END || ' is more than one day after the broker time '
                    || to_char(
                        d.broker_dt AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'
                    )
        END
    ) AS detail,
    %(load_dt)s AS rejected_dt
FROM batch_{{ lead }}_documents AS d
LEFT JOIN LATERAL (
    SELECT
        rules.reason,
        rules.detail
    FROM (
        SELECT
            {#- CASE keeps the order: a range is checked only where the type is right. #}
            CASE d.form
                {%- for shape in shapes %}
                WHEN '{{ shape.form }}'
                    THEN CASE
                        {%- set outer = loop.index %}
                        {%- for reason, detail, condition in shape.rules() %}
                        WHEN ({{ condition | replace("doc #", "d.doc #") }}) IS NOT TRUE
                            THEN {{ outer * 1000 + loop.index }}
                        {%- endfor %}
                    END
                {%- endfor %}
            END AS number
    ) AS broken
    INNER JOIN (
        VALUES
        {%- for shape in shapes %}
        {%- set last = loop.last %}
        {%- set outer = loop.index %}
        {%- for reason, detail, condition in shape.rules() %}
        (
            {{ outer * 1000 + loop.index }}, '{{ reason }}', '{{ detail }}'
        ){{ "," if not (last and loop.last) }}
        {%- endfor %}
        {%- endfor %}
    ) AS rules (number, reason, detail) ON broken.number = rules.number
) AS why ON d.reason = 'unfit'
WHERE d.reason IS NOT NULL AND NOT d.was_refused
ORDER BY d.topic, d.epoch, d.kafka_partition, d.kafka_offset
ON CONFLICT (topic, epoch, kafka_partition, kafka_offset) DO UPDATE
    SET
        reason = excluded.reason,
        detail = excluded.detail
    WHERE (m.reason, m.detail) IS DISTINCT FROM (excluded.reason, excluded.detail)
