-- Partitions of STG and the bounds of ops.
SELECT 1;
