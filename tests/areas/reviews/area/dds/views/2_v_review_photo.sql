-- The photos of each review's newest revision, one row per photo.
CREATE OR REPLACE VIEW {{ dds }}.v_review_photo AS
SELECT
    v.h_review_pk,
    v.review_id,
    p.line_no,
    p.url,
    p.caption
FROM {{ dds }}.v_review AS v
INNER JOIN {{ dds }}.s_review_photo AS p
    ON
        v.h_review_pk = p.h_review_pk
        AND v.version_dt = p.version_dt
        AND v.hk_review_photo_hashdiff = p.hk_review_photo_hashdiff
