-- The restaurants and months of all revisions of this batch's reviews: also those that
-- a review has left.
SELECT
    v.h_restaurant_pk AS restaurant_id,
    date_trunc('month', v.written_at)::date AS month
FROM (
    SELECT DISTINCT m.h_review_pk
    FROM batch_ranges AS r
    CROSS JOIN LATERAL (
        SELECT s.h_review_pk
        FROM {{ dds }}.s_review_revision AS s
        WHERE
            {{ in_range("s") | indent(12) }}
        OFFSET 0  -- one index scan per range, whatever the statistics say
    ) AS m
) AS came
INNER JOIN {{ dds }}.s_review_revision AS v ON came.h_review_pk = v.h_review_pk
