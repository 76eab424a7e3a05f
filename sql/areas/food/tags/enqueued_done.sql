-- Note that the guests whom new conditions concern are waiting.
UPDATE ops.tag_conditions
SET state = 'applied'
WHERE state = 'new'
