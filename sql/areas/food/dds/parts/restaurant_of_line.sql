{#- For an ORDER BY: a join would run again for each dish, this is one look-up. -#}
(
    SELECT r.restaurant_id
    FROM {{ dds }}.h_restaurant AS r
    WHERE r.h_restaurant_pk = line.h_restaurant_pk
)