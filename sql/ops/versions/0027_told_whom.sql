-- Who was told of an incident, and of its end: the notifier, and whom it was given.
ALTER TABLE ops.incidents
ADD COLUMN told_to text,
ADD COLUMN end_told_to text;
COMMENT ON COLUMN ops.incidents.told_to IS
'Who was told: the notifier and its receivers. NULL: not yet, or before 0027.';
