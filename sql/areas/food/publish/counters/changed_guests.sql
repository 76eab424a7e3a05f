-- Enqueue the guests whose counters, or names of dishes, this batch has changed.
INSERT INTO ops.counters_waiting (user_id)
SELECT d.user_id
FROM deltas AS d
{%- if changes == "labels" %}
UNION
SELECT m.user_id
FROM cdm.{{ mart }} AS m
WHERE m.product_id IN (SELECT p.product_id FROM changed_products AS p)
{%- else %}
GROUP BY d.user_id
{%- endif %}
