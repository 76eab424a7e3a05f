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
