-- Write the rows that are missing or have other values, in key order.
INSERT INTO {{ table }} AS c ({{ columns | join(", ") }})
SELECT
    i.{{ columns | join(",\n    i.") }}
FROM incoming AS i
ORDER BY i.{{ key_types | join(", i.") }}
ON CONFLICT ({{ key_types | join(", ") }}) DO UPDATE
    SET
        {%- for column in columns if column not in key_types %}
        {{ column }} = excluded.{{ column }}{{ "," if not loop.last }}
        {%- endfor %}
    WHERE (c.{{ compared | join(", c.") }})
    IS DISTINCT FROM (excluded.{{ compared | join(", excluded.") }})
