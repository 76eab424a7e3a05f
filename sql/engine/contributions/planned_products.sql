-- The dishes of a plan.
{#- makes: affected_products #}
CREATE TEMP TABLE affected_products ON COMMIT DROP AS
SELECT {{ looked_up.column }}
FROM planned_products
