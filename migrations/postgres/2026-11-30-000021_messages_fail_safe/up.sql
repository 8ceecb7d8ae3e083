-- The shape of a start date that came and cannot be read (R79), and the roles that group-to-role mapping gave:
-- `role` the one that counts first, `roles` a JSON list in alphabetical order.
ALTER TABLE profiles ADD COLUMN start_unreadable TEXT;
ALTER TABLE profiles ADD COLUMN role TEXT;
ALTER TABLE profiles ADD COLUMN roles TEXT NOT NULL DEFAULT '[]';

-- An opt-out is a person's (R82); one of an address that nobody has waits without a person.
ALTER TABLE opt_outs RENAME TO former_opt_outs;
ALTER INDEX opt_outs_pkey RENAME TO former_opt_outs_pkey;
CREATE TABLE opt_outs (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    address TEXT NOT NULL,
    profile_id TEXT,
    reason TEXT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL
);
INSERT INTO opt_outs (id, organization_id, address, profile_id, reason, created_at, created_by)
    SELECT 'optout_' || organization_id || '_' || address, organization_id, address,
        (SELECT min(p.id) FROM profiles p WHERE p.organization_id = former_opt_outs.organization_id
            AND p.email_key = former_opt_outs.address AND p.status NOT IN ('removed', 'erased')),
        reason, created_at, created_by
    FROM former_opt_outs;
DROP TABLE former_opt_outs;
CREATE UNIQUE INDEX opt_outs_waiting ON opt_outs (organization_id, address) WHERE profile_id IS NULL;
CREATE UNIQUE INDEX opt_outs_person ON opt_outs (profile_id) WHERE profile_id IS NOT NULL;
CREATE INDEX opt_outs_listed ON opt_outs (organization_id, created_at, id);

-- The messages of one step within a time, for the guard over bursts (R80).
CREATE INDEX deliveries_of_step ON deliveries (trigger_id, step, due_at);
