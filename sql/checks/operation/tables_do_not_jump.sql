-- No table has grown by more than five times of what is usual for a day.
{#- #warn #}
{% include "checks/_templates/growth.sql" %}

SELECT
    c.table_name,
    c.row_cnt,
    c.usual_row_cnt
FROM compared AS c
WHERE c.row_cnt > c.usual_row_cnt * 5
ORDER BY c.table_name
