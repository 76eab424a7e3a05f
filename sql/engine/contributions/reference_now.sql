-- The reference of this batch's dishes, as it is now.
{#- makes: reference_now #}
CREATE TEMP TABLE reference_now ON COMMIT DROP AS
{{ reference_query }}
