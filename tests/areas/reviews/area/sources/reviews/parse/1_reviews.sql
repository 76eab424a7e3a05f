-- Accept or refuse each message of the batch, and parse the accepted ones.
{#- makes: reviews #}
CREATE TEMP TABLE batch_reviews ON COMMIT DROP AS
{%- set shape = shapes[0] %}
SELECT
    m.topic,
    m.epoch,
    m.kafka_partition,
    m.kafka_offset,
    m.broker_dt,
    m.form,
    m.reason,
    {#- For the reason of a refusal. #}
    CASE WHEN m.reason IN ('unfit', 'version_in_future') THEN m.doc END AS doc,
    m.topic AS load_src,
    o.review_id,
    o.h_review_pk,
    o.revision,
    o.version_dt,
    o.user_id,
    o.h_user_pk,
    o.restaurant_id,
    o.h_restaurant_pk,
    o.written_at,
    o.stars,
    o.review_text,
    o.photos,
    md5(o.photos::text)::uuid AS hk_review_photo_hashdiff
FROM (
    {% filter indent(4) %}{% include "engine/parse/judged.sql" %}{% endfilter %}
) AS m
LEFT JOIN LATERAL (
    SELECT
        m.review_id,
        uuid_generate_v5(%(namespace)s, m.review_id) AS h_review_pk,
        (m.doc #> '{review,revision}')::integer AS revision,
        m.sent_at::timestamp AS version_dt,
        m.review_guest AS user_id,
        uuid_generate_v5(%(namespace)s, m.review_guest) AS h_user_pk,
        m.review_restaurant AS restaurant_id,
        uuid_generate_v5(%(namespace)s, m.review_restaurant) AS h_restaurant_pk,
        m.review_written_at::timestamp AS written_at,
        (m.doc #> '{review,stars}')::integer AS stars,
        m.review_text,
        nullif(m.doc #> '{review,photos}', 'null') AS photos
    WHERE m.reason IS NULL
    OFFSET 0
) AS o ON TRUE
