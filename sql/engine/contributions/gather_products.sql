-- Keep the dishes of a plan: they are looked up again before any guest is counted.
{#- keeps: planned_products #}
CREATE TEMP TABLE planned_products AS
SELECT {{ looked_up.column }}
FROM affected_products
