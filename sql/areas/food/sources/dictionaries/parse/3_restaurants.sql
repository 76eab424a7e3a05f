-- One row per entry of a restaurant.
{#- makes: restaurants #}
CREATE TEMP TABLE batch_restaurants ON COMMIT DROP AS
SELECT
    topic,
    epoch,
    kafka_partition,
    kafka_offset,
    load_src,
    version_dt,
    id AS restaurant_id,
    uuid_generate_v5(%(namespace)s, id) AS h_restaurant_pk,
    entry ->> 'name' AS restaurant_name
FROM batch_entries
WHERE is_restaurant
