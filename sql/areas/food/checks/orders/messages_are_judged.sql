-- Every staged message that the vault has taken is loaded or refused, and not both.
{#- #fail, by piece of STG #}
-- The tables are read one after the other and grouped, not joined: with an estimate of
-- few rows, a join may read one of them for each row of another.
WITH found AS (
    SELECT
        e.kafka_offset,
        'staged' AS place,
        NULL AS reason
    FROM stg.order_events AS e
    WHERE
        {{ in_piece("e") | indent(8) }}
    UNION ALL
    SELECT
        v.kafka_offset,
        'loaded' AS place,
        NULL AS reason
    FROM dds.s_order_version AS v
    WHERE
        {{ in_piece("v") | indent(8) }}
    UNION ALL
    SELECT
        m.kafka_offset,
        'refused' AS place,
        m.reason
    FROM stg.rejected_messages AS m
    WHERE
        {{ in_piece("m") | indent(8) }}
)

SELECT
    w.topic,
    w.epoch,
    w.kafka_partition,
    f.kafka_offset,
    CASE WHEN bool_or(f.place = 'loaded') THEN 'both' ELSE 'neither' END AS what,
    max(f.reason) AS reason
FROM ops.watermarks AS w
INNER JOIN found AS f
    ON
        w.first_offset <= f.kafka_offset
        AND w.next_offset > f.kafka_offset
WHERE
    w.stage = 'vault'
    AND w.topic = %(topic)s
    AND w.epoch = %(epoch)s
    AND w.kafka_partition = %(partition)s
GROUP BY w.topic, w.epoch, w.kafka_partition, f.kafka_offset
HAVING
    bool_or(f.place = 'staged')
    AND bool_or(f.place = 'loaded') = bool_or(f.place = 'refused')
