-- Every version a trigger had; deliveries name theirs.
CREATE TABLE trigger_versions (
    trigger_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    definition TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT,
    PRIMARY KEY (trigger_id, version)
);
INSERT INTO trigger_versions (trigger_id, version, definition, created_at)
    SELECT id, version, definition, updated_at FROM triggers;

-- Addresses that want no messages (R64): lower case, as they are matched.
CREATE TABLE opt_outs (
    organization_id TEXT NOT NULL,
    address TEXT NOT NULL,
    reason TEXT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    PRIMARY KEY (organization_id, address)
);

-- The version a delivery was planned by, whether it greets somebody (R59), the community it speaks of, the hold it
-- waits in, and the delivery in whose digest it is told.
ALTER TABLE deliveries ADD COLUMN trigger_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE deliveries ADD COLUMN welcome BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE deliveries ADD COLUMN community_id TEXT;
ALTER TABLE deliveries ADD COLUMN hold_id TEXT;
ALTER TABLE deliveries ADD COLUMN digest_id TEXT;
UPDATE deliveries SET trigger_version = coalesce(
    (SELECT version FROM triggers WHERE triggers.id = deliveries.trigger_id), 1);
CREATE INDEX deliveries_hold ON deliveries (hold_id) WHERE hold_id IS NOT NULL;
CREATE INDEX deliveries_digest ON deliveries (digest_id) WHERE digest_id IS NOT NULL;
CREATE INDEX deliveries_trigger ON deliveries (trigger_id, step, due_at) WHERE state = 'due';
CREATE INDEX deliveries_welcomes ON deliveries (organization_id, welcome, due_at);
