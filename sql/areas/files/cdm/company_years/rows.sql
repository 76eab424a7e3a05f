-- The companies of a country and a year, by their newest records.
SELECT
    v.country_code,
    v.founded_year,
    count(*) AS companies_cnt,
    sum(v.employees) AS employees_sum,
    min(v.company_name COLLATE "C") AS first_name
FROM {{ dds }}.s_company AS v
{%- if keys %}
INNER JOIN {{ keys }} AS k
    ON v.country_code = k.country_code AND v.founded_year = k.founded_year
{%- endif %}
WHERE
    v.country_code IS NOT NULL
    AND v.founded_year IS NOT NULL
    AND NOT EXISTS (
        SELECT 1
        FROM {{ dds }}.s_company AS later
        WHERE
            later.h_company_pk = v.h_company_pk
            AND (later.epoch, later.kafka_offset) > (v.epoch, v.kafka_offset)
    )
GROUP BY v.country_code, v.founded_year
