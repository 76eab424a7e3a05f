-- Enter the keys of {{ table.name }} of which the vault says something else than the
-- source, but those that have a version which the source had not yet.
INSERT INTO differences (table_name, row_key, what)
SELECT
    '{{ table.name }}' AS table_name,
    d.row_key,
    d.what
FROM (
    SELECT
        {%- for one in table.key %}
        coalesce(s.{{ one.name }}, v.{{ one.name }}) AS {{ one.name }},
        {%- endfor %}
        jsonb_build_object(
            {%- for one in table.key %}
            '{{ one.name }}', coalesce(s.{{ one.name }}, v.{{ one.name }}){{ "," if not loop.last }}
            {%- endfor %}
        ) AS row_key,
        CASE
            WHEN v.{{ table.key[0].name }} IS NULL THEN 'missing'
            WHEN s.{{ table.key[0].name }} IS NULL THEN 'gone'
            ELSE 'differing'
        END AS what
    FROM source_{{ table.name }} AS s
    FULL JOIN {{ dds }}.{{ view }} AS v
        ON
            {%- for one in table.key %}
            {{ "AND " if not loop.first }}s.{{ one.name }} = v.{{ one.name }}
            {%- endfor %}
    WHERE
        s.{{ table.key[0].name }} IS NULL
        OR v.{{ table.key[0].name }} IS NULL
        {%- for one in table.columns %}
        {%- for part in one.comparable %}
        OR {{ part | replace("?", "s." + one.name) }} IS DISTINCT FROM {{ part | replace("?", "v." + one.name) }}
        {%- endfor %}
        {%- endfor %}
    OFFSET 0  -- only what differs is looked up
) AS d
CROSS JOIN LATERAL (
    SELECT {{ parent }} AS parent_key
    FROM (
        SELECT
            {%- for key, names in hub_keys %}
            {{- "\n            " if hub_keys | length > 1 else " " }}
            {{- table.hub_key(names) | replace("t.", "d.") }} AS {{ key }}{{ "," if not loop.last }}
            {%- endfor %}
    ) AS k
) AS p
WHERE
    NOT EXISTS (
        SELECT 1
        FROM {{ dds }}.{{ satellite }} AS n
        WHERE
            n.{{ parent_key }} = p.parent_key
            AND n.generation = %(generation)s
            AND n.lsn > %(lsn)s
    )
    AND NOT EXISTS (
        SELECT 1
        FROM {{ dds }}.{{ emptied }} AS n
        WHERE
            n.table_name = '{{ table.name }}'
            AND n.generation = %(generation)s
            AND n.lsn > %(lsn)s
    )
