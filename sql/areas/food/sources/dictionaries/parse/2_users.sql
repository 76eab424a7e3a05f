-- One row per entry of a guest.
{#- makes: users #}
CREATE TEMP TABLE batch_users ON COMMIT DROP AS
SELECT
    topic,
    epoch,
    kafka_partition,
    kafka_offset,
    load_src,
    version_dt,
    id AS user_id,
    uuid_generate_v5(%(namespace)s, id) AS h_user_pk,
    entry ->> 'name' AS username,
    CASE
        WHEN
            jsonb_typeof(entry -> 'login') = 'string'
            AND char_length(entry ->> 'login') <= 1000
            THEN entry ->> 'login'
    END AS userlogin
FROM batch_entries
WHERE NOT is_restaurant
