-- One row per review: its newest revision.
{%- from "areas/reviews/dds/parts/rank.sql" import outranks %}
CREATE OR REPLACE VIEW {{ dds }}.v_review AS
SELECT
    h.h_review_pk,
    h.review_id,
    u.user_id,
    r.restaurant_id,
    newest.revision,
    newest.stars,
    newest.review_text,
    newest.written_at,
    newest.version_dt,
    newest.hk_review_photo_hashdiff
FROM {{ dds }}.s_review_revision AS newest
INNER JOIN {{ dds }}.h_review AS h ON newest.h_review_pk = h.h_review_pk
-- Both always exist; LEFT lets a query that uses neither leave them out.
LEFT JOIN {{ dds }}.h_user AS u ON newest.h_user_pk = u.h_user_pk
LEFT JOIN {{ dds }}.h_restaurant AS r ON newest.h_restaurant_pk = r.h_restaurant_pk
WHERE
    NOT EXISTS (
        SELECT 1
        FROM {{ dds }}.s_review_revision AS later
        WHERE
            later.h_review_pk = newest.h_review_pk
            AND later.revision >= newest.revision  -- follows; the index can use it
            AND {{ outranks("later", "newest") }}
    )
