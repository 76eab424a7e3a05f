-- What a mart's copy in another database has, and the keys that have changed since.
CREATE TABLE ops.mart_copies (
    mart text PRIMARY KEY,
    taken_token uuid,
    taken_change bigint NOT NULL DEFAULT 0,
    next_token uuid,
    next_change bigint NOT NULL DEFAULT 0,
    failing_dt timestamptz
);
COMMENT ON TABLE ops.mart_copies IS
'The marts whose changes are logged for a copy in another database. The copy''s own '
'watermark is there, with its rows; it has the token of the batch it took last, which '
'is one of these two: the other one was begun, or done, before. Any other token, or '
'none here, means another history: then the whole mart is compared.';
COMMENT ON COLUMN ops.mart_copies.failing_dt IS
'Since when the copy''s database can''t be written to; NULL: it can.';

CREATE TABLE ops.mart_changes (
    mart text NOT NULL,
    change_id bigint GENERATED ALWAYS AS IDENTITY,
    key text[] NOT NULL,
    PRIMARY KEY (mart, change_id)
);
COMMENT ON TABLE ops.mart_changes IS
'The keys of the rows that a mart has changed, in the order of its transactions, until '
'the copy has taken them.';
