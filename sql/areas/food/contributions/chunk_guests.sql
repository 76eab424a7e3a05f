-- The guests of a chunk.
{#- makes: touched_guests #}
CREATE TEMP TABLE touched_guests ON COMMIT DROP AS
SELECT h_user_pk
{%- if guest %}
FROM guest_chunks
WHERE chunk = %(chunk)s
{%- else %}
FROM {{ dds }}.h_user
{%- endif %}
