"""Damage that a reload of all history has to find and put right."""

# Of each layer a part is lost, and counters are wrong.
DAMAGE = (
    "DELETE FROM stg.order_events WHERE kafka_offset % 97 = 0",
    "DELETE FROM dds.s_order_version WHERE order_id % 89 = 0",
    "DELETE FROM dds.s_order_item WHERE order_id % 83 = 0",
    "UPDATE cdm.user_product_counters SET order_cnt = order_cnt + 1"
    " WHERE hashtext(product_id::text) % 7 = 0",
    "DELETE FROM cdm.user_category_counters WHERE hashtext(user_id::text) % 11 = 0",
)
