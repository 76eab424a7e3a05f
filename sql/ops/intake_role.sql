-- Grant what the door for files needs, and no row below it.
GRANT USAGE ON SCHEMA ops, stg TO palate_intake;
GRANT SELECT ON ops.migrations, ops.intake_tokens, ops.imports TO palate_intake;
GRANT SELECT ON ops.event_outbox, ops.intake_looks, stg.file_problems TO palate_intake;
GRANT INSERT ON ops.imports, ops.event_outbox TO palate_intake;
GRANT UPDATE (sent_dt) ON ops.event_outbox TO palate_intake;
GRANT UPDATE (looked_dt) ON ops.intake_looks TO palate_intake;
