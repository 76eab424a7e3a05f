-- Cut the guests, in the order of their keys, into chunks of about as many orders.
{#- keeps: guest_chunks #}
CREATE TEMP TABLE guest_chunks AS
{%- if guest %}
SELECT
    h_user_pk,
    ((sum(count(*)) OVER by_key - count(*)) / %(orders)s)::integer AS chunk
FROM planned_orders
GROUP BY h_user_pk
WINDOW by_key AS (ORDER BY h_user_pk)
{%- else %}
{#- Rows belong to no guest: there is one chunk, unless it is done. #}
SELECT
    u.h_user_pk,
    0 AS chunk
FROM {{ dds }}.h_user AS u
WHERE
    u.h_user_pk > %(done_until)s
    AND %(done_until)s = '00000000-0000-0000-0000-000000000000'
ORDER BY u.h_user_pk DESC
LIMIT 1
{%- endif %}
