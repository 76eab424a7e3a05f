-- Make the tables of files that partners send: who may, what came, what is told of it.
CREATE TABLE ops.intake_tokens (
    token_id text COLLATE "C" PRIMARY KEY,
    company text COLLATE "C" NOT NULL,
    datasets text[] NOT NULL,
    digest bytea NOT NULL,
    made_dt timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_dt timestamptz,
    revoked_dt timestamptz
);
COMMENT ON TABLE ops.intake_tokens IS
'Who may send which datasets. digest is the SHA-256 of the token''s secret part; the '
'token itself is shown once, when it is made.';

CREATE TABLE ops.imports (
    import_id uuid PRIMARY KEY,
    import_no bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    company text COLLATE "C" NOT NULL,
    dataset text COLLATE "C" NOT NULL,
    state text NOT NULL CHECK (
        state IN (
            'received', 'malformed', 'loaded', 'partly_loaded', 'invalid', 'unreadable'
        )
    ),
    form text NOT NULL CHECK (form IN ('json', 'ndjson')),
    request_id text NOT NULL,
    filename text,
    sha256 bytea NOT NULL,
    bytes bigint NOT NULL,
    records bigint NOT NULL,
    loaded bigint NOT NULL DEFAULT 0,
    invalid bigint NOT NULL DEFAULT 0,
    object_key text,
    etag text,
    reason text,
    detail text,
    record_no bigint,
    byte_offset bigint,
    line_no bigint,
    judgements integer NOT NULL DEFAULT 0,
    received_dt timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_dt timestamptz,
    CHECK ((state = 'malformed') = (object_key IS NULL))
);
CREATE UNIQUE INDEX imports_by_company ON ops.imports (company, import_no DESC);
CREATE INDEX imports_by_object ON ops.imports (object_key);
CREATE INDEX imports_waiting ON ops.imports (import_no) WHERE state = 'received';
COMMENT ON TABLE ops.imports IS
'Each delivery, once, for ever: an import exists when its row is committed.';
COMMENT ON COLUMN ops.imports.import_id IS
'The version-5 UUID of company, dataset, and the key, or the SHA-256 of the file.';
COMMENT ON COLUMN ops.imports.judgements IS
'How often its records were judged: once, and again by each replay.';

CREATE TABLE ops.event_outbox (
    event_no bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    event_id text COLLATE "C" NOT NULL UNIQUE,
    topic text COLLATE "C" NOT NULL,
    company text COLLATE "C" NOT NULL,
    dataset text COLLATE "C" NOT NULL,
    event text NOT NULL,
    import_id uuid NOT NULL REFERENCES ops.imports,
    value text NOT NULL,
    entered_dt timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_dt timestamptz
);
CREATE INDEX event_outbox_waiting ON ops.event_outbox (event_no) WHERE sent_dt IS NULL;
CREATE INDEX event_outbox_import ON ops.event_outbox (import_id);
COMMENT ON TABLE ops.event_outbox IS
'Events, entered with what they tell. Of a company they are numbered in the order of '
'the commits. sent_dt: Kafka has acknowledged it.';

CREATE TABLE ops.intake_looks (
    is_only boolean PRIMARY KEY DEFAULT TRUE CHECK (is_only),
    looked_dt timestamptz NOT NULL
);
COMMENT ON TABLE ops.intake_looks IS
'Written to see whether PostgreSQL takes a write: the readiness of the intake.';
INSERT INTO ops.intake_looks (looked_dt) VALUES (clock_timestamp());
