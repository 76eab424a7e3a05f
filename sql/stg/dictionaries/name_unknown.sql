-- Note the ids that orders of this range name and the dictionary does not know yet.
INSERT INTO ops.dictionary_lookups (
    id, first_staged_dt, tried_cnt, tried_dt, next_try_dt, problem
)
SELECT
    named.id,
    min(named.staged_dt) AS first_staged_dt,
    0 AS tried_cnt,
    %(load_dt)s AS tried_dt,
    %(load_dt)s AS next_try_dt,
    'not asked yet' AS problem
FROM (
    SELECT
        unnest(ARRAY[u.user_id, r.restaurant_id]) AS id,
        e.staged_dt
    FROM batch_ranges AS b
    CROSS JOIN LATERAL (
        SELECT
            s.topic,
            s.epoch,
            s.kafka_partition,
            s.kafka_offset,
            s.h_user_pk,
            s.h_restaurant_pk
        FROM dds.s_order_version AS s
        WHERE
            s.topic = b.topic
            AND s.epoch = b.epoch
            AND s.kafka_partition = b.kafka_partition
            AND s.kafka_offset >= b.from_offset
            AND s.kafka_offset < b.to_offset
        OFFSET 0  -- one index scan per range, whatever the statistics say
    ) AS v
    INNER JOIN dds.h_user AS u ON v.h_user_pk = u.h_user_pk
    INNER JOIN dds.h_restaurant AS r ON v.h_restaurant_pk = r.h_restaurant_pk
    INNER JOIN stg.order_events AS e
        ON
            v.topic = e.topic
            AND v.epoch = e.epoch
            AND v.kafka_partition = e.kafka_partition
            AND v.kafka_offset = e.kafka_offset
) AS named
WHERE
    NOT EXISTS (SELECT 1 FROM stg.dictionary_entries AS d WHERE d.id = named.id)
GROUP BY named.id
ORDER BY named.id
ON CONFLICT (id) DO NOTHING
