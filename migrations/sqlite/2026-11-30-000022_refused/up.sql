-- Removals that were acknowledged and are not settled, by the directory user they speak of: whether access is
-- refused is looked up here (R91). Only removals are ever written to it, and settling takes them out.
CREATE INDEX outbox_removals ON outbox (subject) WHERE lane = 0 AND state NOT IN ('done', 'ignored');

-- Whose access is suspended, as host applications were told: the row goes when they are told that it is back, or
-- that the person was removed. `event_id` is the removal that suspended them, where it is one (R40).
CREATE TABLE suspensions (
    profile_id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    event_id TEXT,
    suspended_at INTEGER NOT NULL
) STRICT;

-- When WorkOS said that the organization was deleted, and what an operator decided about its people: `keep`,
-- `remove`, or nothing yet (R84).
ALTER TABLE organizations ADD COLUMN deleted_at INTEGER;
ALTER TABLE organizations ADD COLUMN deletion_decision TEXT;
