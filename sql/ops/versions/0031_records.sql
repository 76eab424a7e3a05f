-- Make the tables of files whose records are in STG, and of what is wrong with others.
CREATE TABLE stg.files (
    import_id uuid PRIMARY KEY REFERENCES ops.imports,
    feed text COLLATE "C" NOT NULL,
    from_offset bigint NOT NULL,
    to_offset bigint NOT NULL,
    schema_digest text NOT NULL,
    staged_dt timestamptz NOT NULL
);
CREATE UNIQUE INDEX files_by_position ON stg.files (feed, from_offset, to_offset);
COMMENT ON TABLE stg.files IS
'Which offsets of its feed a file''s records have: record n has from_offset + n - 1.';

CREATE TABLE stg.file_problems (
    import_id uuid NOT NULL REFERENCES ops.imports,
    problem_no integer NOT NULL,
    record_no bigint NOT NULL,
    pointer text NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    PRIMARY KEY (import_id, problem_no)
);
COMMENT ON TABLE stg.file_problems IS
'What is wrong with records of a file, by the schema that last judged it: at most 20 '
'of a record, and 10,000 of a file. The counts in ops.imports are whole.';

ALTER TABLE ops.imports
ADD COLUMN judged_invalid bigint NOT NULL DEFAULT 0,
ADD COLUMN dismissed_dt timestamptz,
ADD COLUMN dismissed_by text,
ADD COLUMN dismissed_why text;
COMMENT ON COLUMN ops.imports.judged_invalid IS
'Records that were invalid, those of each judgement: it never falls.';
COMMENT ON COLUMN ops.imports.dismissed_dt IS
'Since when nobody misses a refused file: its object may go.';
CREATE INDEX imports_refused ON ops.imports (import_no)
WHERE state IN ('invalid', 'unreadable', 'partly_loaded');
