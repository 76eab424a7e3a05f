{%- set name, key = (order_keys.items() | list)[0] -%}
SELECT
    {{ name }},
    count(*)::bigint AS guest_cnt,
    count(*) FILTER (WHERE number = 1)::bigint AS new_guest_cnt
FROM (
    SELECT
        {{ name }},
        row_number() OVER (
            PARTITION BY {{ guest_column }}
            ORDER BY {{ name }}
        ) AS number
    FROM (
        SELECT DISTINCT
            o.{{ guest_column }},
            {{ key.of("o") }} AS {{ name }}
        FROM {{ cdm }}.{{ mart }}_counted AS o
    ) AS days
) AS visits
GROUP BY {{ name }}
