-- Accept or refuse each message of the batch, and parse the accepted ones.
{#- makes: orders #}
CREATE TEMP TABLE batch_orders ON COMMIT DROP AS
{%- for shape in shapes %}
{%- set raw = shape.form == "raw" %}
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
    o.order_id,
    o.h_order_pk,
    o.order_dt,
    o.version_dt,
    o.sent_dttm,
    o.user_id,
    o.h_user_pk,
    o.username,
    o.userlogin,
    o.restaurant_id,
    o.h_restaurant_pk,
    o.restaurant_name,
    o.status,
    o.statuses,
    o.cost,
    o.payment,
    o.bonus_payment,
    o.bonus_grant,
    o.lines,
    o.hk_order_item_hashdiff
FROM (
    {% filter indent(4) %}{% include "engine/parse/judged.sql" %}{% endfilter %}
) AS m
LEFT JOIN LATERAL (
    SELECT
        (m.doc -> 'object_id')::bigint AS order_id,
        uuid_generate_v5(
            %(namespace)s, (m.doc -> 'object_id')::bigint::text
        ) AS h_order_pk,
        m.payload_date::timestamp AS order_dt,
        m.{{ shape.version_time }}::timestamp AS version_dt,
        {{ "m.sent_dttm" if raw else "NULL" }}::timestamp AS sent_dttm,
        m.payload_user_id AS user_id,
        uuid_generate_v5(%(namespace)s, m.payload_user_id) AS h_user_pk,
        {{ "NULL" if raw else "m.payload_user_name" }} AS username,
        {{ "NULL" if raw else "m.payload_user_login" }} AS userlogin,
        m.payload_restaurant_id AS restaurant_id,
        uuid_generate_v5(%(namespace)s, m.payload_restaurant_id) AS h_restaurant_pk,
        {{ "NULL" if raw else "m.payload_restaurant_name" }} AS restaurant_name,
        m.payload_{{ "final_status" if raw else "status" }} AS status,
        {{ "nullif(p.doc -> 'statuses', 'null')" if raw else "NULL::jsonb" }} AS statuses,
        trim_scale((p.doc -> 'cost')::numeric) AS cost,
        trim_scale((p.doc -> 'payment')::numeric) AS payment,
        {% if raw -%}
        trim_scale((p.doc ->> 'bonus_payment')::numeric) AS bonus_payment,
        trim_scale((p.doc ->> 'bonus_grant')::numeric) AS bonus_grant,
        {%- else -%}
        NULL::numeric AS bonus_payment,
        NULL::numeric AS bonus_grant,
        {%- endif %}
        p.lines,
        {#- The lines of a version have one hash: that of all of them. The forms read
        the same line in two ways: the raw one names no category. #}
        md5('{{ shape.form }}' || p.lines::text)::uuid AS hk_order_item_hashdiff
    FROM (
        SELECT
            m.doc -> 'payload' AS doc,
            nullif(
                m.doc #> '{payload,{{ "order_items" if raw else "products" }}}', 'null'
            ) AS lines
    ) AS p
    WHERE m.reason IS NULL
    OFFSET 0
) AS o ON TRUE
{%- if not loop.last %}
UNION ALL
{%- endif %}
{%- endfor %}
