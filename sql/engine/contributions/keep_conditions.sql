-- Let no condition of a tag be added between here and the commit: the search for the
-- guests whom a new one concerns would miss what this batch has changed.
SELECT pg_advisory_xact_lock_shared(hashtextextended('palate tag conditions', 0))
