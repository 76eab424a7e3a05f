-- The rows of the mart as they follow from the vault.
{#- makes: recomputed #}
CREATE TEMP TABLE recomputed ON COMMIT DROP AS
{{ query }}
