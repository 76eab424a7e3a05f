-- The dishes of a plan.
{#- makes: affected_products #}
CREATE TEMP TABLE affected_products ON COMMIT DROP AS
SELECT h_product_pk
FROM planned_products
