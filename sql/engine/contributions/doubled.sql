SELECT
    '{{ doubled }}' || doubled_order AS what,
    {{ columns | join(",\n    ") }}
FROM should
WHERE doubled_order IS NOT NULL
