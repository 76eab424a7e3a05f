-- Parse each record of the batch that was not refused.
{%- from "areas/files/sources/companies/parts/extended.sql" import number %}
{#- makes: companies #}
CREATE TEMP TABLE batch_companies ON COMMIT DROP AS
SELECT
    d.topic,
    d.epoch,
    d.kafka_partition,
    d.kafka_offset,
    d.topic AS load_src,
    d.broker_dt AT TIME ZONE 'UTC' AS version_dt,
    d.doc ->> 'permalink' AS permalink,
    uuid_generate_v5(%(namespace)s, d.doc ->> 'permalink') AS h_company_pk,
    d.doc ->> 'name' AS company_name,
    d.doc ->> 'category_code' AS category_code,
    {{ number("(d.doc -> 'founded_year')") | indent }}::integer AS founded_year,
    {{ number("(d.doc -> 'number_of_employees')") | indent }} AS employees,
    d.doc #>> '{offices,0,country_code}' AS country_code
FROM (
    SELECT
        s.topic,
        s.epoch,
        s.kafka_partition,
        s.kafka_offset,
        s.broker_dt,
        stg.jsonb_or_null(s.message) AS doc
    FROM batch_ranges AS r
    CROSS JOIN LATERAL
        -- A function, so that a range locks its own partitions only.
        stg.messages(
            r.topic, r.epoch, r.kafka_partition, r.from_offset, r.to_offset
        ) AS s
    WHERE
        r.topic = 'files.companies'
        AND NOT EXISTS (
            SELECT 1
            FROM stg.rejected_messages AS m
            WHERE
                m.topic = s.topic
                AND m.epoch = s.epoch
                AND m.kafka_partition = s.kafka_partition
                AND m.kafka_offset = s.kafka_offset
        )
    OFFSET 0  -- each message is parsed once
) AS d
