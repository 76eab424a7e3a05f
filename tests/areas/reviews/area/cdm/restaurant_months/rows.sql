-- A restaurant's reviews of a month, by their newest revisions.
{%- from "areas/reviews/dds/parts/rank.sql" import outranks %}
SELECT
    newest.restaurant_id,
    newest.month,
    count(*) AS reviews_cnt,
    round(avg(newest.stars), 4) AS stars_avg,
    (
        array_agg(
            newest.review_text
            ORDER BY newest.written_at DESC, newest.review_id DESC
        ) FILTER (WHERE newest.review_text IS NOT NULL)
    )[1] AS newest_text
FROM (
    SELECT
        v.h_restaurant_pk AS restaurant_id,
        date_trunc('month', v.written_at)::date AS month,
        v.stars,
        v.review_text,
        v.written_at,
        h.review_id
    FROM {{ dds }}.s_review_revision AS v
    INNER JOIN {{ dds }}.h_review AS h ON v.h_review_pk = h.h_review_pk
    {%- if keys %}
    INNER JOIN {{ keys }} AS k
        ON
            v.h_restaurant_pk = k.restaurant_id
            AND v.written_at >= k.month
            AND v.written_at < k.month + interval '1 month'
    {%- endif %}
    WHERE
        NOT EXISTS (
            SELECT 1
            FROM {{ dds }}.s_review_revision AS later
            WHERE
                later.h_review_pk = v.h_review_pk
                AND later.revision >= v.revision  -- follows; the index can use it
                AND {{ outranks("later", "v") }}
        )
) AS newest
GROUP BY newest.restaurant_id, newest.month
