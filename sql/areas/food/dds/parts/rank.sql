{#- Which of two versions of an order is newer: these columns, first to last (contract,
section 1). Topics compare by bytes; the columns have the "C" collation. -#}
{%- set rank = [
    "version_dt",
    "sent_dttm",
    "broker_dt",
    "topic",
    "kafka_partition",
    "kafka_offset",
    "epoch",
] -%}

{%- macro newest_first(alias) -%}
{%- for column in rank -%}
{{ ", " if not loop.first }}{{ alias }}.{{ column }} DESC
{{- " NULLS LAST" if column == "sent_dttm" }}
{%- endfor -%}
{%- endmacro -%}

{#- Whether one version has a greater rank than another one. -#}
{%- macro outranks(one, other) -%}
{{ _columns(one) }} > {{ _columns(other) }}
{%- endmacro -%}

{%- macro _columns(alias) -%}
(
{%- for column in rank -%}
{{ ", " if not loop.first }}
{#- None counts as the earliest. #}
{{- "coalesce(%s.sent_dttm, '-infinity')" % alias
    if column == "sent_dttm" else alias ~ "." ~ column }}
{%- endfor -%}
)
{%- endmacro -%}
