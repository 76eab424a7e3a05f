-- What the counted orders add, summed by what the totals are kept by.
{#- makes: counted_sums #}
CREATE TEMP TABLE counted_sums ON COMMIT DROP AS
{{ query }}
