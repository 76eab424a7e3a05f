-- One row per accepted message: the order as this version tells it.
CREATE TEMP TABLE batch_orders ON COMMIT DROP AS
{%- for shape in shapes %}
{%- set raw = shape.form == "raw" %}
SELECT
    topic,
    epoch,
    kafka_partition,
    kafka_offset,
    broker_dt,
    form,
    topic AS load_src,
    (doc -> 'object_id')::numeric::bigint AS order_id,
    uuid_generate_v5(
        %(namespace)s, (doc -> 'object_id')::numeric::bigint::text
    ) AS h_order_pk,
    (doc #>> '{payload,date}')::timestamp AS order_dt,
    ({{ shape.version_time }})::timestamp AS version_dt,
    {{ "(doc ->> 'sent_dttm')::timestamp" if raw else "NULL::timestamp" }} AS sent_dttm,
    doc #>> '{payload,user,id}' AS user_id,
    uuid_generate_v5(%(namespace)s, doc #>> '{payload,user,id}') AS h_user_pk,
    {{ "NULL" if raw else "doc #>> '{payload,user,name}'" }} AS username,
    {{ "NULL" if raw else "doc #>> '{payload,user,login}'" }} AS userlogin,
    doc #>> '{payload,restaurant,id}' AS restaurant_id,
    uuid_generate_v5(
        %(namespace)s, doc #>> '{payload,restaurant,id}'
    ) AS h_restaurant_pk,
    {{ "NULL" if raw else "doc #>> '{payload,restaurant,name}'" }} AS restaurant_name,
    doc #>> '{payload,{{ "final_status" if raw else "status" }}}' AS status,
    {{ "nullif(doc #> '{payload,statuses}', 'null')" if raw else "NULL::jsonb" }} AS statuses,
    trim_scale((doc #> '{payload,cost}')::numeric) AS cost,
    trim_scale((doc #> '{payload,payment}')::numeric) AS payment,
    {% if raw -%}
    trim_scale((doc #>> '{payload,bonus_payment}')::numeric) AS bonus_payment,
    trim_scale((doc #>> '{payload,bonus_grant}')::numeric) AS bonus_grant,
    {%- else -%}
    NULL::numeric AS bonus_payment,
    NULL::numeric AS bonus_grant,
    {%- endif %}
    {#- The lines of a version have one hash: that of all of them. #}
    {%- set lines = "doc #> '{payload,order_items}'" if raw else "doc #> '{payload,products}'" %}
    nullif({{ lines }}, 'null') AS lines,
    {#- The forms read the same line in two ways: the raw one names no category. #}
    md5('{{ shape.form }}' || nullif({{ lines }}, 'null')::text)::uuid AS hk_order_item_hashdiff
FROM batch_documents
WHERE reason IS NULL AND form = '{{ shape.form }}'
{%- if not loop.last %}
UNION ALL
{%- endif %}
{%- endfor %}
