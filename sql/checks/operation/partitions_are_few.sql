-- STG has few enough partitions: from some hundreds on each batch pays for them.
{#- #warn #}
SELECT count(*) AS partitions
FROM ops.event_partitions AS p
WHERE p.dropped_dt IS NULL
HAVING count(*) > %(many_partitions)s
