-- One row per company: its newest record.
CREATE OR REPLACE VIEW {{ dds }}.v_company AS
SELECT
    h.h_company_pk,
    h.permalink,
    newest.company_name,
    newest.category_code,
    newest.founded_year,
    newest.employees,
    newest.country_code,
    newest.version_dt
FROM {{ dds }}.h_company AS h
CROSS JOIN LATERAL (
    SELECT
        s.company_name,
        s.category_code,
        s.founded_year,
        s.employees,
        s.country_code,
        s.version_dt
    FROM {{ dds }}.s_company AS s
    WHERE s.h_company_pk = h.h_company_pk
    ORDER BY s.epoch DESC, s.kafka_offset DESC
    LIMIT 1
) AS newest
