-- Every column that rows of the airline's tables have is one that they are to have.
{#- #warn #}
SELECT
    c.table_name,
    c.column_name,
    c.what,
    c.topic,
    c.epoch,
    c.kafka_partition,
    c.kafka_offset
FROM {{ dds }}.odd_columns AS c
ORDER BY c.table_name, c.column_name, c.what
