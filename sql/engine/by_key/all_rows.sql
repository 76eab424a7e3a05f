-- Insert all rows of the mart, in key order.
INSERT INTO {{ cdm }}.{{ mart }} ({{ columns | join(", ") }}{{ ", " + changed_at if changed_at }})
SELECT
    {{ columns | join(",\n    ") }}
    {%- if changed_at %},
    %(load_dt)s AS {{ changed_at }}
    {%- endif %}
FROM computed
ORDER BY {{ keys | join(", ") }}
