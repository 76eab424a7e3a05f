{#- Which version of a row counts, and from when to when each did (ADR 0035).

`one` describes a table: its name among the changes, its satellite, its key there, the
relation with all keys, the columns that name a row there, the record of when tables
were emptied, and the satellite's columns, each with the column of the source whose
value may be unavailable. Of those, `large` may be so where the key has changed as well:
the value stands under the old key, which the message names.

Changes stand in the order of their lsn. A read stands before the first of them whose
lsn is not lower, or that comes after it in the same partition. What a comparison with
the source has read stands in its topic where `stands_at` says; a later generation of
the source outranks an earlier one. -#}

{#- Columns of a relation, one a line. -#}
{%- macro listed(alias, names) -%}
{{ alias }}.{{ names | join(",\n" ~ alias ~ ".") }}
{%- endmacro -%}

{#- What a version is made of, beside the columns of its table. -#}
{%- set said = ["op", "is_gone", "generation", "lsn", "commit_dt"] -%}
{%- set order = ["number", "life", "op", "is_deleted", "generation", "lsn", "commit_dt"] -%}
{%- set position = ["epoch", "kafka_partition", "kafka_offset"] -%}

{#- The epoch, the partition or the offset at which a version stands. -#}
{%- set number = {"epoch": 1, "kafka_partition": 2, "kafka_offset": 3} -%}
{%- macro at(s, column) -%}
coalesce({{ s }}.stands_at[{{ number[column] }}], {{ s }}.{{ column }})
{%- endmacro -%}

{#- Whether a change `c` comes after a read `s`: a version that has `read_at`. -#}
{%- macro follows(c, s) -%}
(
    ({{ c }}.generation, {{ c }}.lsn) >= ({{ s }}.generation, {{ s }}.lsn)
    OR (
        {{ c }}.kafka_partition = {{ at(s, "kafka_partition") }}
        AND ({{ c }}.epoch, {{ c }}.kafka_offset)
        > ({{ at(s, "epoch") }}, {{ at(s, "kafka_offset") }})
    )
)
{%- endmacro -%}

{#- The rows that live, by their hub keys: the newest version of each. It is the last
period of `periods`, found without placing all others. -#}
{%- macro newest(one, dds) -%}
SELECT
    k.{{ one.key }},
    {%- for column, origin in one.columns.items() %}
    CASE
        WHEN v.unavailable = '{}' THEN v.{{ column }}
        ELSE older.{{ column }}
    END AS {{ column }},
    {%- endfor %}
    v.unavailable
FROM {{ dds }}.{{ one.base }} AS k
CROSS JOIN LATERAL (
    SELECT
        {{ listed("s", ["is_gone"] + one.columns | list + ["unavailable"]) | indent(8) }}
    FROM {{ dds }}.{{ one.satellite }} AS s
    WHERE
        s.{{ one.key }} = k.{{ one.key }}
        AND CASE
            WHEN s.read_at IS NULL
                THEN
                    NOT EXISTS (
                        SELECT 1
                        FROM {{ dds }}.{{ one.emptied }} AS t
                        WHERE
                            t.table_name = '{{ one.table }}'
                            AND (
                                t.generation,
                                t.lsn,
                                t.epoch,
                                t.kafka_partition,
                                t.kafka_offset
                            )
                            > (
                                s.generation,
                                s.lsn,
                                s.epoch,
                                s.kafka_partition,
                                s.kafka_offset
                            )
                    )
            ELSE
                NOT EXISTS (
                    SELECT 1
                    FROM {{ dds }}.{{ one.satellite }} AS c
                    WHERE
                        c.{{ one.key }} = k.{{ one.key }}
                        AND c.read_at IS NULL
                        AND {{ follows("c", "s") | indent(24) }}
                )
                AND NOT EXISTS (
                    SELECT 1
                    FROM {{ dds }}.{{ one.emptied }} AS t
                    WHERE
                        t.table_name = '{{ one.table }}'
                        AND {{ follows("t", "s") | indent(24) }}
                )
        END
    ORDER BY
        s.read_at IS NOT NULL DESC,
        s.generation DESC,
        CASE WHEN s.read_at IS NULL THEN s.lsn END DESC,
        {#- A read's partition comes last: later epochs and offsets are later in it. #}
        {{ at("s", "epoch") }} DESC,
        {{ at("s", "kafka_partition") }} DESC,
        {{ at("s", "kafka_offset") }} DESC,
        s.stands_at IS NOT NULL DESC,
        s.kafka_offset DESC
    LIMIT 1
) AS v
LEFT JOIN LATERAL (
    SELECT
    {%- if one.columns | length == 1 %} p.{{ one.columns | first }}
    {%- else %}
        {{ listed("p", one.columns) | indent(8) }}
    {%- endif %}
    FROM {{ dds }}.{{ one.periods }} AS p
    WHERE p.{{ one.key }} = k.{{ one.key }} AND v.unavailable <> '{}'
    ORDER BY p.number DESC
    LIMIT 1
) AS older ON TRUE
WHERE NOT v.is_gone
{%- endmacro -%}

{#- All versions of each row, by its hub key, numbered in their order; `life` counts how
often the row had gone by then. -#}
{%- macro versions(one, dds) -%}
{%- set values = ["unavailable"] + one.columns | list + (["renamed_to", "renamed_from"] if one.large else []) -%}
SELECT
    k.{{ one.key }},
    {{ listed("v", order + values) | indent }}
FROM {{ dds }}.{{ one.base }} AS k
CROSS JOIN LATERAL (
    WITH own AS (
        SELECT
            {{ listed("s", said + ["read_at", "stands_at"] + position + values) | indent(12) }}
        FROM {{ dds }}.{{ one.satellite }} AS s
        WHERE s.{{ one.key }} = k.{{ one.key }}
    ),

    changes AS (
        SELECT
            {{ listed("c", said + position + values) | indent(12) }},
            row_number() OVER (
                ORDER BY
                    c.generation, c.lsn, c.epoch, c.kafka_partition, c.kafka_offset
            ) AS place
        FROM (
            SELECT
                {{ listed("o", said + position + values) | indent(16) }}
            FROM own AS o
            WHERE o.read_at IS NULL
            UNION ALL
            SELECT
                't' AS op,
                TRUE AS is_gone,
                {{ listed("t", said[2:] + position) | indent(16) }},
                '{}' AS unavailable,
                {%- for column in one.columns %}
                NULL AS {{ column }}{{ "," if one.large or not loop.last }}
                {%- endfor %}
                {%- if one.large %}
                NULL AS renamed_to,
                NULL AS renamed_from
                {%- endif %}
            FROM {{ dds }}.{{ one.emptied }} AS t
            WHERE
                t.table_name = '{{ one.table }}'
                AND (
                    SELECT count(*)
                    FROM own
                ) > 0
        ) AS c
    ),

    placed AS (
        SELECT
            {{ listed("c", said + position + values) | indent(12) }},
            c.place,
            TRUE AS is_change,
            FALSE AS is_own,
            c.kafka_offset AS own_offset
        FROM changes AS c
        UNION ALL
        SELECT
            {{ listed("o", said) | indent(12) }},
            {{ at("o", "epoch") }} AS epoch,
            {{ at("o", "kafka_partition") }} AS kafka_partition,
            {{ at("o", "kafka_offset") }} AS kafka_offset,
            {{ listed("o", values) | indent(12) }},
            coalesce(
                (
                    SELECT min(c.place)
                    FROM changes AS c
                    WHERE {{ follows("c", "o") | indent(20) }}
                ),
                9223372036854775807
            ) AS place,
            FALSE AS is_change,
            o.stands_at IS NOT NULL AS is_own,
            o.kafka_offset AS own_offset
        FROM own AS o
        WHERE o.read_at IS NOT NULL
    )

    SELECT
        {{ listed("p", ["op", "generation", "lsn", "commit_dt"] + values) | indent(8) }},
        p.is_gone AS is_deleted,
        row_number() OVER in_order AS number,
        count(*) FILTER (WHERE p.is_gone) OVER in_order AS life
    FROM placed AS p
    WINDOW in_order AS (
        ORDER BY
            p.place,
            p.is_change,
            p.generation,
            p.epoch,
            p.kafka_partition,
            p.kafka_offset,
            p.is_own,
            p.own_offset
    )
) AS v
{%- endmacro -%}

{#- What the newest older version of a row's life says that has the column's value. -#}
{%- macro own_value(expression, origin) -%}
(
    SELECT {{ expression }}
    FROM numbered AS o
    WHERE
        o.life = n.life
        AND o.number < n.number
        AND NOT o.is_deleted
        AND '{{ origin }}' <> all(o.unavailable)
    ORDER BY o.number DESC
    LIMIT 1
)
{%- endmacro -%}

{#- The value of a column where no version of a row's life has one: that of the row
under its old key, just before it got the new one; or of the key before that. Both
changes name the other key. Each step back has a lower lsn, so the way ends, whatever
was sent. -#}
{%- macro renamed_value(one, dds, column, origin) -%}
(
    WITH RECURSIVE way AS (
        SELECT
            0 AS step,
            k.{{ one.key }},
            n.life,
            n.number + 1 AS below,
            2147483647 AS generation,
            NULL::bigint AS lsn
        UNION ALL
        SELECT
            w.step + 1 AS step,
            d.{{ one.key }},
            d.life - 1 AS life,
            d.number AS below,
            d.generation,
            d.lsn
        FROM way AS w
        CROSS JOIN LATERAL (
            SELECT
                o.renamed_from,
                o.generation,
                o.lsn
            FROM {{ dds }}.{{ one.versions }} AS o
            WHERE
                o.{{ one.key }} = w.{{ one.key }}
                AND o.life = w.life
                AND o.number < w.below
                AND o.renamed_from IS NOT NULL
                AND (o.generation, o.lsn) < (w.generation, w.lsn)
            ORDER BY o.number DESC
            LIMIT 1
        ) AS f
        INNER JOIN {{ dds }}.{{ one.base }} AS c ON w.{{ one.key }} = c.{{ one.key }}
        INNER JOIN {{ dds }}.{{ one.base }} AS b
            ON
                {%- for name in one.named_by %}
                {{ "AND " if not loop.first }}b.{{ name }} = f.renamed_from ->> '{{ name }}'
                {%- endfor %}
        CROSS JOIN LATERAL (
            SELECT
                v.{{ one.key }},
                v.life,
                v.number,
                v.generation,
                v.lsn
            FROM {{ dds }}.{{ one.versions }} AS v
            WHERE
                v.{{ one.key }} = b.{{ one.key }}
                AND v.op = 'd'
                AND (v.generation, v.lsn) = (f.generation, f.lsn)
                {%- for name in one.named_by %}
                AND v.renamed_to ->> '{{ name }}' = c.{{ name }}
                {%- endfor %}
        ) AS d
    )

    SELECT ARRAY[o.{{ column }}]
    FROM way AS w
    CROSS JOIN LATERAL (
        SELECT
            v.number,
            v.{{ column }}
        FROM {{ dds }}.{{ one.versions }} AS v
        WHERE
            v.{{ one.key }} = w.{{ one.key }}
            AND v.life = w.life
            AND v.number < w.below
            AND NOT v.is_deleted
            AND '{{ origin }}' <> all(v.unavailable)
        ORDER BY v.number DESC
        LIMIT 1
    ) AS o
    WHERE w.step > 0
    ORDER BY w.step
    LIMIT 1
)
{%- endmacro -%}

{#- The periods of each row, by its hub key, numbered in their order. -#}
{%- macro periods(one, dds) -%}
{%- set columns = one.columns | list -%}
SELECT
    k.{{ one.key }},
    {{ listed("p", ["number", "valid_from", "valid_to", "is_deleted", "op", "lsn"] + columns) | indent }}
FROM {{ dds }}.{{ one.base }} AS k
CROSS JOIN LATERAL (
    WITH numbered AS (
        SELECT
            {{ listed("v", order + ["unavailable"] + columns) | indent(12) }}
        FROM {{ dds }}.{{ one.versions }} AS v
        WHERE v.{{ one.key }} = k.{{ one.key }}
    ),

    -- What is large and unchanged has the value of the older version that has one.
    known AS (
        SELECT
            n.number,
            n.op,
            n.lsn,
            n.commit_dt,
            n.is_deleted,
            {%- for column, origin in one.columns.items() %}
            {%- if origin %}
            CASE
                WHEN '{{ origin }}' = any(n.unavailable)
                    THEN
                        {%- if column in one.large %}
                        (
                            coalesce(
                                {{ own_value("ARRAY[o." ~ column ~ "]", origin) | indent(32) }},
                                {{ renamed_value(one, dds, column, origin) | indent(32) }}
                            )
                        )[1]
                        {%- else %}
                        {{ own_value("o." ~ column, origin) | indent(24) }}
                        {%- endif %}
                ELSE n.{{ column }}
            END AS {{ column }}{{ "," if not loop.last }}
            {%- else %}
            n.{{ column }}{{ "," if not loop.last }}
            {%- endif %}
            {%- endfor %}
        FROM numbered AS n
    ),

    compared AS (
        SELECT
            {{ listed("n", ["number", "op", "lsn", "commit_dt", "is_deleted"] + columns) | indent(12) }},
            (n.is_deleted, n.{{ one.columns | join(", n.") }}) AS content,
            lag((n.is_deleted, n.{{ one.columns | join(", n.") }})) OVER (
                ORDER BY n.number
            ) AS content_before
        FROM known AS n
    ),

    changed AS (
        SELECT
            {{ listed("c", ["number", "op", "lsn", "is_deleted"] + columns) | indent(12) }},
            max(c.commit_dt) OVER (ORDER BY c.number) AS valid_from
        FROM compared AS c
        WHERE c.number = 1 OR c.content IS DISTINCT FROM c.content_before
    )

    SELECT
        c.number,
        c.valid_from,
        lead(c.valid_from) OVER (ORDER BY c.number) AS valid_to,
        {{ listed("c", ["is_deleted", "op", "lsn"] + columns) | indent(8) }}
    FROM changed AS c
) AS p
{%- endmacro -%}

{#- Since when and until when a row lived and had the same value in a column; or only
lived, where the value is a constant. -#}
{%- macro in_force(one, dds, column, value="") -%}
{%- set value = value or "p." + column -%}
SELECT
    i.{{ one.key }},
    i.{{ column }},
    min(i.valid_from) AS valid_from,
    (array_agg(i.valid_to ORDER BY i.number DESC))[1] AS valid_to
FROM (
    SELECT
        b.{{ one.key }},
        b.{{ column }},
        b.number,
        b.valid_from,
        b.valid_to,
        count(*) FILTER (WHERE b.is_new) OVER (
            PARTITION BY b.{{ one.key }}
            ORDER BY b.number
        ) AS island
    FROM (
        SELECT
            p.{{ one.key }},
            CASE WHEN NOT p.is_deleted THEN {{ value }} END AS {{ column }},
            p.number,
            p.valid_from,
            p.valid_to,
            CASE WHEN NOT p.is_deleted THEN {{ value }} END
            IS DISTINCT FROM lag(
                CASE WHEN NOT p.is_deleted THEN {{ value }} END
            ) OVER (
                PARTITION BY p.{{ one.key }}
                ORDER BY p.number
            ) AS is_new
        FROM {{ dds }}.{{ one.periods }} AS p
    ) AS b
) AS i
WHERE i.{{ column }} IS NOT NULL
GROUP BY i.{{ one.key }}, i.{{ column }}, i.island
{%- endmacro -%}
