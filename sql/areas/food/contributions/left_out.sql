{#- Of a comparison: whether no order that is not counted yet may change row f. -#}
{%- if guest -%}
NOT EXISTS (
    SELECT 1
    FROM batch_orders AS o
    INNER JOIN {{ dds }}.s_order_version AS v ON o.order_id = v.order_id
    WHERE v.h_user_pk = f.{{ guest }}
)
{%- else -%}
NOT EXISTS (SELECT o.order_id FROM batch_orders AS o)
{%- endif %}
{%- if is_label_looked_up %}
AND NOT EXISTS (
    SELECT 1
    FROM affected_products AS p
    WHERE p.h_product_pk = f.{{ keys[-1] }}
)
{%- endif %}
