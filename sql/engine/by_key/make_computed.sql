-- Make a table like the mart, so that a value that doesn't fit fails before the mart.
{#- makes: computed #}
CREATE TEMP TABLE computed (LIKE {{ cdm }}.{{ mart }}) ON COMMIT DROP
