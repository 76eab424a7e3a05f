-- What a guest is called now: by the newest dictionary entry, else by the newest order
-- (contract, section 6).
{%- from "areas/food/dds/parts/rank.sql" import newest_first %}
CREATE OR REPLACE VIEW {{ dds }}.v_user_name AS
SELECT
    u.h_user_pk,
    u.user_id,
    coalesce(entry.username, ordered.username) AS username,
    CASE
        WHEN entry.username IS NULL THEN ordered.userlogin
        ELSE entry.userlogin
    END AS userlogin
FROM {{ dds }}.h_user AS u
LEFT JOIN LATERAL (
    SELECT
        n.username,
        n.userlogin
    FROM {{ dds }}.s_user_names AS n
    WHERE n.h_user_pk = u.h_user_pk AND n.topic = '{{ dictionary_feed }}'
    ORDER BY n.version_dt DESC, n.kafka_offset DESC
    LIMIT 1
) AS entry ON TRUE
LEFT JOIN LATERAL (
    SELECT
        n.username,
        n.userlogin
    FROM {{ dds }}.s_user_names AS n
    INNER JOIN {{ dds }}.s_order_version AS v
        ON
            n.topic = v.topic
            AND n.epoch = v.epoch
            AND n.kafka_partition = v.kafka_partition
            AND n.kafka_offset = v.kafka_offset
    WHERE n.h_user_pk = u.h_user_pk AND entry.username IS NULL
    ORDER BY {{ newest_first("v") | replace("v.version_dt", "n.version_dt") }}
    LIMIT 1
) AS ordered ON TRUE
