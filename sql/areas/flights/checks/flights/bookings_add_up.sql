-- Every booking costs what the flights of its tickets cost.
{#- #warn #}
SELECT
    b.book_ref,
    b.total_amount,
    coalesce(sum(f.amount), 0) AS sum_of_amounts
FROM {{ dds }}.v_booking AS b
LEFT JOIN {{ dds }}.v_ticket AS t ON b.book_ref = t.book_ref
LEFT JOIN {{ dds }}.v_ticket_flight AS f ON t.ticket_no = f.ticket_no
GROUP BY b.book_ref, b.total_amount
HAVING b.total_amount IS DISTINCT FROM coalesce(sum(f.amount), 0)
ORDER BY b.book_ref
