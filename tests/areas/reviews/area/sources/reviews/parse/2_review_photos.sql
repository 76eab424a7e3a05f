-- One row per photo of an accepted message.
{#- makes: review_photos #}
CREATE TEMP TABLE batch_review_photos ON COMMIT DROP AS
SELECT
    r.load_src,
    r.h_review_pk,
    r.version_dt,
    r.hk_review_photo_hashdiff,
    p.line_no::integer AS line_no,
    p.url,
    p.caption
FROM batch_reviews AS r
CROSS JOIN LATERAL ROWS FROM (
    jsonb_to_recordset(r.photos) AS (url text, caption text)
) WITH ORDINALITY AS p (url, caption, line_no)
