-- Grant what the stages need, and what readers may see; to run it again changes
-- nothing.
GRANT USAGE ON SCHEMA ops, stg, dds, cdm TO palate_loader, palate_reader;

GRANT SELECT ON ALL TABLES IN SCHEMA ops, dds, cdm TO palate_reader;
GRANT SELECT ON stg.rejected_messages TO palate_reader;

GRANT SELECT ON ALL TABLES IN SCHEMA ops, stg, dds, cdm TO palate_loader;
GRANT INSERT ON ALL TABLES IN SCHEMA stg, dds, cdm TO palate_loader;
GRANT INSERT ON ops.topics, ops.batches, ops.batch_ranges, ops.replays TO palate_loader;
GRANT INSERT, UPDATE ON ops.stage_runs, ops.position_gaps, ops.logs TO palate_loader;
GRANT UPDATE (topic_id, cluster_id) ON ops.topics TO palate_loader;
GRANT INSERT, UPDATE, DELETE ON ops.watermarks, ops.dictionary_lookups TO palate_loader;
GRANT INSERT, UPDATE, DELETE ON ops.menu_lookups TO palate_loader;
GRANT INSERT, UPDATE, DELETE ON ops.tag_conditions TO palate_loader;
GRANT INSERT, DELETE ON ops.tags_waiting TO palate_loader;
GRANT INSERT, UPDATE, DELETE ON ops.reloads, ops.reload_ranges, ops.reload_layers
TO palate_loader;
GRANT INSERT, UPDATE, DELETE ON ops.reload_stages, ops.reload_batches TO palate_loader;
GRANT INSERT ON ops.batch_guests TO palate_loader;
GRANT INSERT, UPDATE, DELETE ON ops.tag_outbox TO palate_loader;
GRANT UPDATE ON ops.tag_versions TO palate_loader;
GRANT INSERT, DELETE ON ops.order_waits, ops.counters_waiting TO palate_loader;
GRANT UPDATE (filled_dt) ON ops.definitions, ops.totals TO palate_loader;
GRANT UPDATE, DELETE ON stg.rejected_messages TO palate_loader;
GRANT INSERT ON ops.check_results, ops.generations, ops.comparisons TO palate_loader;
GRANT INSERT, UPDATE ON ops.clocks TO palate_loader;
GRANT INSERT, UPDATE ON ops.incidents, ops.watch, ops.log_minutes TO palate_loader;
GRANT UPDATE ON ops.imports TO palate_loader;
GRANT INSERT ON ops.event_outbox TO palate_loader;
GRANT DELETE ON stg.file_problems TO palate_loader;
GRANT INSERT, DELETE ON ops.log_ends TO palate_loader;
GRANT INSERT, UPDATE ON ops.refused_judged TO palate_loader;
GRANT INSERT, UPDATE, DELETE ON ops.mart_copies TO palate_loader;
GRANT INSERT, DELETE ON ops.mart_changes TO palate_loader;
-- These check what they are asked for, and do it with the rights of the owner.
GRANT EXECUTE ON FUNCTION
stg.make_room(text, integer, integer, bigint, bigint, bigint),
stg.why_kept(bigint, timestamptz),
stg.drop_partition(bigint, timestamptz, text),
ops.prune(timestamptz),
ops.begin_rebuild(text, text, text),
ops.analyze_rebuild(),
ops.swap_rebuild(),
ops.discard_rebuild()
TO palate_loader;
GRANT UPDATE ON ops.rebuilds TO palate_loader;
GRANT INSERT, UPDATE, DELETE ON ops.rebuild_tables, ops.rebuild_rejected
TO palate_loader;
-- A mart is rebuilt in place; what STG and the vault have is never changed.
GRANT UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA cdm TO palate_loader;
{%- for table, columns in changing.items() %}
GRANT UPDATE ({{ columns | join(", ") }}) ON dds.{{ table }} TO palate_loader;
{%- endfor %}
