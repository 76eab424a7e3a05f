-- One row per usable line of a menu; a line needs an id and a name.
{#- makes: menu_lines #}
CREATE TEMP TABLE batch_menu_lines ON COMMIT DROP AS
WITH told AS (
    SELECT
        e.topic,
        e.epoch,
        e.kafka_partition,
        e.kafka_offset,
        e.load_src,
        e.version_dt,
        uuid_generate_v5(%(namespace)s, e.id) AS h_restaurant_pk,
        m.line_no::integer AS line_no,
        m.line ->> '_id' AS product_id,
        m.line ->> 'name' AS product_name,
        CASE
            WHEN
                jsonb_typeof(m.line -> 'price') = 'number'
                AND m.line -> 'price' BETWEEN '0' AND '1000000000000'
                THEN trim_scale((m.line -> 'price')::numeric)
        END AS price,
        CASE
            WHEN
                jsonb_typeof(m.line -> 'category') = 'string'
                AND char_length(m.line ->> 'category') <= 1000
                THEN m.line ->> 'category'
        END AS category_name
    FROM batch_entries AS e
    CROSS JOIN LATERAL
        jsonb_array_elements(e.entry -> 'menu') WITH ORDINALITY AS m (line, line_no)
    WHERE
        e.is_restaurant
        AND jsonb_typeof(m.line -> '_id') = 'string'
        AND char_length(m.line ->> '_id') BETWEEN 1 AND 100
        AND jsonb_typeof(m.line -> 'name') = 'string'
        AND char_length(m.line ->> 'name') <= 1000
)

SELECT
    topic,
    epoch,
    kafka_partition,
    kafka_offset,
    load_src,
    version_dt,
    h_restaurant_pk,
    line_no,
    product_id,
    product_name,
    price,
    category_name,
    uuid_generate_v5(%(namespace)s, product_id) AS h_product_pk,
    uuid_generate_v5(%(namespace)s, category_name) AS h_category_pk
FROM told
