-- What the mart looks up for the dishes of this batch, as it is now.
{#- makes: reference_now #}
CREATE TEMP TABLE reference_now ON COMMIT DROP AS
{{ reference_query }}
