-- Make the table of what the copies in this schema have.
CREATE TABLE {{ schema }}.watermarks (
    mart text PRIMARY KEY,
    token uuid,
    change_id bigint,
    copied_dt timestamptz
)
