-- The rows of these guests as they follow from the vault.
{#- makes: recounted #}
CREATE TEMP TABLE recounted ON COMMIT DROP AS
{{ query }}
