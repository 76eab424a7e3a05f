-- The dishes of the menus that came in this range, with those of other contents of the
-- same version of a menu: the one staged later puts them out of force.
CREATE TEMP TABLE batch_menu_products ON COMMIT DROP AS
SELECT DISTINCT line.h_product_pk
FROM batch_ranges AS r
INNER JOIN dds.s_restaurant_names AS came
    ON
        r.topic = came.topic
        AND r.epoch = came.epoch
        AND r.kafka_partition = came.kafka_partition
        AND r.from_offset <= came.kafka_offset
        AND r.to_offset > came.kafka_offset
INNER JOIN dds.s_restaurant_names AS version
    ON
        came.h_restaurant_pk = version.h_restaurant_pk
        AND came.version_dt = version.version_dt
INNER JOIN dds.s_product_category AS line
    ON
        version.topic = line.topic
        AND version.epoch = line.epoch
        AND version.kafka_partition = line.kafka_partition
        AND version.kafka_offset = line.kafka_offset
WHERE r.topic = %(dictionary_feed)s
