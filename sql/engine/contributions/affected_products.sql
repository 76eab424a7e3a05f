-- The dishes whose reference may have changed in this batch.
{#- makes: affected_products #}
CREATE TEMP TABLE affected_products ON COMMIT DROP AS
{{ affected }}
