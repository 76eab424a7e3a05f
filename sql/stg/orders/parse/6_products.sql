-- The dishes of the batch, each hashed once.
CREATE TEMP TABLE batch_products ON COMMIT DROP AS
SELECT
    product_id,
    uuid_generate_v5(%(namespace)s, product_id) AS h_product_pk,
    load_src
FROM (
    SELECT
        product_id,
        min(topic) AS load_src
    FROM batch_told_lines
    GROUP BY product_id
) AS distinct_products
