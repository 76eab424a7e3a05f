-- Parse each record of the batch that was not refused.
{%- from "areas/files/sources/companies/parts/extended.sql" import number %}
{%- from "engine/parse/records.sql" import accepted %}
{#- makes: companies #}
CREATE TEMP TABLE batch_companies ON COMMIT DROP AS
SELECT
    d.topic,
    d.epoch,
    d.kafka_partition,
    d.kafka_offset,
    d.topic AS load_src,
    d.broker_dt AT TIME ZONE 'UTC' AS version_dt,
    d.doc ->> 'permalink' AS permalink,
    uuid_generate_v5(%(namespace)s, d.doc ->> 'permalink') AS h_company_pk,
    d.doc ->> 'name' AS company_name,
    d.doc ->> 'category_code' AS category_code,
    {{ number("(d.doc -> 'founded_year')") | indent }}::integer AS founded_year,
    {{ number("(d.doc -> 'number_of_employees')") | indent }} AS employees,
    d.doc #>> '{offices,0,country_code}' AS country_code
FROM (
    {{ accepted("files.companies") | indent }}
) AS d
