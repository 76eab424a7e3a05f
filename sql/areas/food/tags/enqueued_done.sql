-- Record that the guests whom new conditions affect are enqueued.
UPDATE ops.tag_conditions
SET state = 'applied'
WHERE state = 'new'
