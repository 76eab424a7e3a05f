-- Make the outbox of tags: what is to go out to the app.
CREATE TABLE ops.tag_outbox (
    version bigint PRIMARY KEY,
    user_id uuid NOT NULL UNIQUE,
    guest_id text COLLATE "C" NOT NULL,
    tags jsonb NOT NULL,
    entered_dt timestamptz NOT NULL
);
COMMENT ON TABLE ops.tag_outbox IS
'The newest state of each guest that is still to be published: a row enters in the '
'transaction that changed the tags, and leaves when all who get it have it.';
COMMENT ON COLUMN ops.tag_outbox.tags IS
'All tags that the guest holds, each with the time since when.';

CREATE TABLE ops.tag_versions (
    last_version bigint NOT NULL
);
CREATE UNIQUE INDEX tag_versions_one_row ON ops.tag_versions ((TRUE));
COMMENT ON TABLE ops.tag_versions IS
'The last version that a state of tags was given. Whoever enters states holds this '
'row until it commits, so that versions ascend in the order of the commits.';
INSERT INTO ops.tag_versions (last_version) VALUES (0);
