-- Delete the waiting dishes that the menus just read have.
DELETE FROM ops.menu_lookups AS l
USING found_entries AS f
WHERE
    l.restaurant_id = f.id
    AND stg.jsonb_or_null(f.value) -> 'menu'
    @> jsonb_build_array(jsonb_build_object('_id', l.product_id))
