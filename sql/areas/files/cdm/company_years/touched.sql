-- The countries and years of all records of this batch's companies: also those that a
-- company has left.
SELECT
    s.country_code,
    s.founded_year
FROM (
    SELECT DISTINCT c.h_company_pk
    FROM batch_ranges AS r
    CROSS JOIN LATERAL (
        SELECT o.h_company_pk
        FROM {{ dds }}.s_company AS o
        WHERE
            {{ in_range("o") | indent(12) }}
        OFFSET 0  -- one index scan per range, whatever the statistics say
    ) AS c
) AS came
INNER JOIN {{ dds }}.s_company AS s ON came.h_company_pk = s.h_company_pk
