-- The dishes for which what the mart looks up may have changed in this batch.
{#- makes: affected_products #}
CREATE TEMP TABLE affected_products ON COMMIT DROP AS
{{ affected }}
