-- The categories that lines of the batch name themselves, each hashed once.
CREATE TEMP TABLE batch_categories ON COMMIT DROP AS
SELECT
    category_name,
    uuid_generate_v5(%(namespace)s, category_name) AS h_category_pk,
    load_src
FROM (
    SELECT
        category_name,
        min(topic) AS load_src
    FROM batch_told_lines
    WHERE category_name IS NOT NULL
    GROUP BY category_name
) AS distinct_categories
