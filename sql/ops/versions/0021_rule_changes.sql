-- Keep who changed which rule of the tags. A trigger sees a change by any means.
CREATE TABLE ops.tag_rule_changes (
    tag_rule_change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule_id bigint NOT NULL,
    changed_dt timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_by text NOT NULL,
    login text NOT NULL DEFAULT session_user,
    before jsonb,
    after jsonb,
    CHECK (num_nonnulls(before, after) > 0)
);
CREATE INDEX tag_rule_changes_rule
ON ops.tag_rule_changes (rule_id, tag_rule_change_id);
COMMENT ON TABLE ops.tag_rule_changes IS
'Each change of a rule of the tags, by any means: before is null for a new rule, after '
'for one that was removed.';
COMMENT ON COLUMN ops.tag_rule_changes.changed_by IS
'Who did it, as the page or the command says; by plain SQL the login.';
COMMENT ON COLUMN ops.tag_rule_changes.login IS
'The login of the database that it was done by.';

CREATE FUNCTION ops.note_rule_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF tg_op = 'UPDATE' AND old IS NOT DISTINCT FROM new THEN
        RETURN NULL;
    END IF;
    INSERT INTO ops.tag_rule_changes (rule_id, changed_by, before, after)
    VALUES (
        CASE tg_op WHEN 'DELETE' THEN old.rule_id ELSE new.rule_id END,
        coalesce(nullif(current_setting('palate.changed_by', true), ''), session_user),
        CASE tg_op WHEN 'INSERT' THEN NULL ELSE to_jsonb(old) - 'rule_id' END,
        CASE tg_op WHEN 'DELETE' THEN NULL ELSE to_jsonb(new) - 'rule_id' END
    );
    RETURN NULL;
END
$$;
CREATE TRIGGER note_rule_change
AFTER INSERT OR UPDATE OR DELETE ON cdm.tag_rules
FOR EACH ROW EXECUTE FUNCTION ops.note_rule_change();
