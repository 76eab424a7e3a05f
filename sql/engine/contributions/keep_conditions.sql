-- Block new conditions of tags until the commit: the search for the guests whom a new
-- one affects would miss what this batch has changed.
SELECT pg_advisory_xact_lock_shared(hashtextextended('palate tag conditions', 0))
