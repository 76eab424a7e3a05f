-- Make the table of the rows that come from the mart.
CREATE TEMP TABLE incoming (LIKE {{ table }}) ON COMMIT DROP
