-- Insert all rows of the mart, in key order.
INSERT INTO {{ cdm }}.{{ mart }} ({{ columns | join(", ") }})
SELECT
    {{ columns | join(",\n    ") }}
FROM computed
ORDER BY {{ keys | join(", ") }}
