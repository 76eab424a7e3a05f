-- Show what a guest was called, the newest first.
SELECT
    n.version_dt,
    n.username,
    n.userlogin,
    n.topic
FROM dds.s_user_names AS n
WHERE n.h_user_pk = %(user_id)s
ORDER BY n.version_dt DESC, n.topic, n.epoch, n.kafka_partition, n.kafka_offset DESC
LIMIT %(limit)s
