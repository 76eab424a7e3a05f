-- Every review has one newest revision, whose guest and restaurant the links have.
{#- #fail #}
SELECT
    h.review_id,
    count(v.h_review_pk) AS newest_cnt,
    count(u.h_review_pk) AS guest_cnt,
    count(r.h_review_pk) AS restaurant_cnt
FROM {{ dds }}.h_review AS h
LEFT JOIN {{ dds }}.v_review AS v ON h.h_review_pk = v.h_review_pk
LEFT JOIN (  -- noqa: ST11
    {{ dds }}.l_review_user AS u
    INNER JOIN {{ dds }}.h_user AS g ON u.h_user_pk = g.h_user_pk
)
    ON v.h_review_pk = u.h_review_pk AND v.user_id = g.user_id
LEFT JOIN (  -- noqa: ST11
    {{ dds }}.l_review_restaurant AS r
    INNER JOIN {{ dds }}.h_restaurant AS p ON r.h_restaurant_pk = p.h_restaurant_pk
)
    ON v.h_review_pk = r.h_review_pk AND v.restaurant_id = p.restaurant_id
GROUP BY h.review_id
HAVING
    count(v.h_review_pk) <> 1
    OR count(u.h_review_pk) <> 1
    OR count(r.h_review_pk) <> 1
