-- What the orders add now.
{#- makes: new_contributions #}
CREATE TEMP TABLE new_contributions ON COMMIT DROP AS
{{ new_contributions }}
