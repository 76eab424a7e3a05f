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

CREATE TABLE ops.order_waits (
    order_id bigint NOT NULL,
    missing_key uuid NOT NULL,
    PRIMARY KEY (missing_key, order_id)
);
CREATE INDEX order_waits_order ON ops.order_waits (order_id);
COMMENT ON TABLE ops.order_waits IS
'Orders whose enriched form is not published yet, and what each waits for: the key of '
'a guest or a restaurant without a name, or of a dish that no menu has.';

CREATE TABLE ops.counters_waiting (
    user_id uuid NOT NULL
)
-- A queue: what was taken has to be vacuumed away however long it once was.
WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
COMMENT ON TABLE ops.counters_waiting IS
'Guests whose counters are still to be published: the marts enter them in the '
'transaction that changes a counter, while dds-service-orders is switched on.';
