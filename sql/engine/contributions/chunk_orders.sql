-- Every order that any of its versions ties to one of these guests.
{#- makes: touched_orders #}
CREATE TEMP TABLE touched_orders ON COMMIT DROP AS
SELECT DISTINCT
    order_id,
    FALSE AS is_by_reference
FROM chunk_orders
WHERE chunk = %(chunk)s
