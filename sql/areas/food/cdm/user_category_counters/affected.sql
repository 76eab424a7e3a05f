-- The dishes whose category this batch may change: those of a new menu.
SELECT h_product_pk
FROM batch_menu_products
