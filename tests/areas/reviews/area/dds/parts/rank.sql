{#- Whether one message of a review counts more than another one: the greater revision,
then the later one of the service, then the later epoch, then the greater position. -#}
{%- macro outranks(one, other) -%}
{{ _rank(one) }} > {{ _rank(other) }}
{%- endmacro -%}

{%- macro _rank(alias) -%}
(
{%- for column in [
    "revision", "version_dt", "epoch", "topic", "kafka_partition", "kafka_offset"
] -%}
{{ ", " if not loop.first }}{{ alias }}.{{ column }}
{%- endfor -%}
)
{%- endmacro -%}
