-- Let people read what checks found, and which offsets are gone, at any age of them.
CREATE INDEX check_results_about
ON ops.check_results (check_name, subject, checked_dt DESC)
INCLUDE (outcome);
CREATE INDEX check_results_not_passed
ON ops.check_results (check_name, check_result_id) WHERE outcome <> 'passed';
CREATE INDEX position_gaps_open
ON ops.position_gaps (gap_id) WHERE accepted_dt IS NULL;
