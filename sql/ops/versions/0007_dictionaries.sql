-- What a synchronisation of dictionaries needs.
CREATE FUNCTION ops.next_try(
    first_staged_dt timestamptz, tried_cnt integer, tried_dt timestamptz
) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT AS $$
SELECT
    tried_dt + CASE
        WHEN tried_dt < first_staged_dt + interval '1 hour'
            THEN least(
                interval '40 seconds', interval '5 seconds' * 2 ^ least(tried_cnt, 6)
            )
        ELSE least(interval '55 minutes', (tried_dt - first_staged_dt) / 6)
    END
$$;
COMMENT ON FUNCTION ops.next_try(timestamptz, integer, timestamptz) IS
'When to ask Redis again for what it did not have: within a minute while the first '
'message that names it is younger than an hour, later at least hourly.';

CREATE TABLE ops.menu_lookups (
    restaurant_id text COLLATE "C" NOT NULL,
    product_id text COLLATE "C" NOT NULL,
    first_staged_dt timestamptz NOT NULL,
    tried_cnt integer NOT NULL,
    tried_dt timestamptz NOT NULL,
    next_try_dt timestamptz NOT NULL,
    PRIMARY KEY (restaurant_id, product_id)
);
CREATE INDEX menu_lookups_due ON ops.menu_lookups (next_try_dt);
COMMENT ON TABLE ops.menu_lookups IS
'Dishes that orders name and the known menu of their restaurant lacks, and when the '
'restaurant is asked for again.';
