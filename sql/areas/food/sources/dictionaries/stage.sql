-- Stage usable entries, each version once; return the others.
WITH new_entries AS (
    SELECT
        j.id,
        (j.entry ->> 'update_ts_utc')::timestamp AS version_dt,
        j.entry
    FROM judged_entries AS j
    WHERE
        j.problem IS NULL
        AND NOT EXISTS (
            SELECT 1
            FROM stg.dictionary_entries AS e
            WHERE
                e.id = j.id
                AND e.version_dt = (j.entry ->> 'update_ts_utc')::timestamp
                -- As jsonb compares: 180 and 180.00 are one price.
                AND e.entry = j.entry
        )
),

staged_entries AS (
    INSERT INTO stg.dictionary_entries (
        id, version_dt, entry, topic, epoch, kafka_partition, kafka_offset, staged_dt
    )
    SELECT
        id,
        version_dt,
        entry,
        %(feed)s AS topic,
        0 AS epoch,
        0 AS kafka_partition,
        %(next_offset)s + row_number() OVER (ORDER BY id) - 1 AS kafka_offset,
        %(load_dt)s AS staged_dt
    FROM new_entries
    RETURNING id
)

SELECT
    j.id,
    j.problem,
    s.id IS NOT NULL AS is_staged
FROM judged_entries AS j
LEFT JOIN staged_entries AS s ON j.id = s.id
