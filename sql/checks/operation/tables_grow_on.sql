-- Every table has grown by a fifth or more of what is usual for a day: nothing stopped.
{#- #fail #}
{% include "checks/_templates/growth.sql" %}

SELECT
    c.table_name,
    c.row_cnt,
    c.usual_row_cnt
FROM compared AS c
WHERE c.row_cnt * 5 < c.usual_row_cnt
ORDER BY c.table_name
