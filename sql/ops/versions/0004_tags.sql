-- Tag rules and the tags of guests.
SELECT 1;
